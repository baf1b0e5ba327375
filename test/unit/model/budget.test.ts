import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Budget } from '../../../src/model/budget.ts';

const RATE = 2_000;

/** Asks as much as it is let, in rounds a few ms apart, and says when each lookup was made. */
function ask(budget: Budget, until: number, unknown: (n: number) => boolean, step = 7): number[] {
  const lookups: number[] = [];
  for (let now = 0; now < until; now += step) {
    const allowed = budget.allowance(256, now);
    for (let n = 0; n < allowed; n++) budget.hold();
    for (let n = 0; n < allowed; n++) budget.answered(unknown(lookups.push(now)));
  }
  return lookups;
}

/** The most within any second. */
const busiest = (times: readonly number[]): number => {
  let most = 0;
  let from = 0;
  times.forEach((time, index) => {
    while ((times[from] ?? 0) <= time - 1000) from++;
    most = Math.max(most, index - from + 1);
  });
  return most;
};

describe('the budget of a port', () => {
  it('does not limit known addresses', () => {
    expect(ask(new Budget(RATE, 0), 1_000, () => false, 1)).toHaveLength(256_000);
  });

  it('admits at most the rate of unknown addresses in any second, and nearly as many on average', () => {
    const lookups = ask(new Budget(RATE, 0), 20_000, () => true);
    expect(busiest(lookups)).toBeLessThanOrEqual(RATE);
    expect(lookups.length).toBeGreaterThan(0.7 * RATE * 20);
  });

  it('keeps the limit at any rate, pace and share of unknown addresses', () => {
    const rate = fc.integer({ min: 4, max: 100_000 });
    const quota = fc.integer({ min: 1, max: 10 });
    fc.assert(
      fc.property(rate, quota, fc.integer({ min: 1, max: 300 }), (rate, quota, step) => {
        const unknown: number[] = [];
        const budget = new Budget(rate, 0);
        for (let now = 0; now < 5_000; now += step) {
          const allowed = budget.allowance(256, now);
          for (let n = 0; n < allowed; n++) budget.hold();
          for (let n = 0; n < allowed; n++) {
            if (n % quota === 0) unknown.push(now);
            budget.answered(n % quota === 0);
          }
        }
        expect(busiest(unknown)).toBeLessThanOrEqual(rate);
      }),
    );
  });

  it('has no more questions outstanding than the budget covers', () => {
    const budget = new Budget(RATE, 0);
    let held = 0;
    for (let allowed = budget.allowance(256, 0); allowed > 0; allowed = budget.allowance(256, 0))
      for (let n = 0; n < allowed; n++, held++) budget.hold();
    expect(held).toBe(budget.capacity);
  });

  it('tells when the port may go on, and admits its questions then', () => {
    const budget = new Budget(RATE, 0);
    ask(budget, 1_000, () => true, 1);
    const wait = budget.readyIn(256);
    expect(budget.allowance(256, 999 + wait - 2)).toBe(0);
    expect(budget.allowance(256, 999 + wait)).toBeGreaterThan(0);
  });
});

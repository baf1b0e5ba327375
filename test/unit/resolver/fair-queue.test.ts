import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { FairQueue } from '../../../src/resolver/fair-queue.ts';
import { PortLane, type Question } from '../../../src/model/question.ts';
import type { ServedDevice } from '../../../src/model/device.ts';
import { LOOKUP_RATE, World, ip } from '../fake/world.ts';

const SIZE = 256;

let world: World;
let device: ServedDevice;
let shed: Question[];
let queue: FairQueue;
beforeEach(() => {
  world = new World();
  device = world.device();
  shed = [];
  queue = new FairQueue((question) => void shed.push(question), world.now);
});

const lane = (port: number): PortLane => new PortLane(port, LOOKUP_RATE, world.time);
const question = (of: PortLane, n = 1): Question => ({
  device,
  layer: 'l3',
  address: ip(n),
  askers: [],
  receivedAt: world.time,
  lane: of,
  waiting: false,
});
const ask = (of: PortLane, count: number): Question[] => {
  const asked = Array.from({ length: count }, (_, n) => question(of, n));
  for (const one of asked) queue.push(one);
  return asked;
};
/** A batch, answered at once. */
const serve = (unknown: (question: Question) => boolean): Question[] => {
  const batch = queue.take(SIZE);
  for (const one of batch) one.lane.budget.answered(unknown(one));
  return batch;
};

describe('the queue before the directory', () => {
  it('hands a lane over in order, in full batches', () => {
    const asked = ask(lane(1), 1_000);
    const batches = [1, 2, 3, 4, 5].map(() => serve(() => false));
    expect(batches.map(({ length }) => length)).toEqual([256, 256, 256, 232, 0]);
    expect(batches.flat()).toEqual(asked);
    expect(queue.readyIn()).toBeUndefined();
  });

  it('has a question of every port in the next batch, however many others wait', () => {
    const others = fc.array(fc.integer({ min: 1, max: 3_000 }), { maxLength: SIZE - 1 });
    fc.assert(
      fc.property(others, fc.integer({ min: 0, max: 20 }), fc.boolean(), (counts, before, unknown) => {
        queue = new FairQueue(() => undefined, world.now);
        counts.forEach((count, index) => ask(lane(1 + index), count));
        for (let n = 0; n < before; n++) serve(() => unknown);
        const innocent = lane(1_000);
        const [asked] = ask(innocent, 1);
        expect(serve(() => unknown)).toContain(asked);
      }),
      { numRuns: 50 },
    );
  });

  it('takes every port in turn where there are more ports than a batch holds', () => {
    const lanes = Array.from({ length: 600 }, (_, n) => lane(1 + n));
    for (const one of lanes) ask(one, 5);
    const ports = [1, 2, 3].flatMap(() => serve(() => false).map((one) => one.lane.port));
    expect(new Set(ports).size).toBe(600);
  });

  it('admits a whole storm of known addresses from one port at once', () => {
    ask(lane(1), 100_000);
    let resolved = 0;
    for (let batch = serve(() => false); batch.length > 0; batch = serve(() => false))
      resolved += batch.length;
    expect(resolved).toBe(100_000);
    expect(shed).toEqual([]);
  });

  it('delays a port in debt, tells for how long, and drops questions whose guest has given up', () => {
    const greedy = lane(1);
    const asked = ask(greedy, 100_000);
    const lookups: Question[] = [];
    const until = world.time + 4_000;
    while (world.time < until) {
      const batch = serve(() => true);
      lookups.push(...batch);
      if (batch.length === 0) world.time += queue.readyIn() ?? Infinity;
    }
    expect(lookups.length).toBeLessThanOrEqual(LOOKUP_RATE * 3);
    expect(lookups.length).toBeGreaterThan(LOOKUP_RATE * 2);
    expect(lookups.length + shed.length).toBe(asked.length);
    expect(greedy.asked).toBe(lookups.length);
  });

  it('admits a question whose record changed first, and never drops it, whatever the debt of its port', () => {
    const port = lane(1);
    const [doubtful] = ask(port, 1);
    if (doubtful === undefined) throw new Error('no question');
    expect(serve(() => false)).toEqual([doubtful]);
    ask(port, 5_000);
    for (let n = 0; n < 2; n++) serve(() => true);
    world.time += 10_000;
    queue.push(doubtful);
    expect(queue.take(SIZE)[0]).toBe(doubtful);
    expect(shed).not.toContain(doubtful);
  });

  it('does not admit a question twice that moved to another lane', () => {
    const [greedy, innocent] = [lane(1), lane(2)];
    const asked = ask(greedy, 3);
    const [, moved] = asked;
    if (moved === undefined) throw new Error('no question');
    moved.lane = innocent;
    queue.push(moved);
    const batch = serve(() => false);
    expect(batch).toHaveLength(3);
    expect(new Set(batch)).toEqual(new Set(asked));
    expect([greedy.asked, innocent.asked]).toEqual([2, 1]);
  });
});

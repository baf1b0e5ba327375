import { describe, expect, it } from 'vitest';
import { LONGEST_READ, OversizedValues } from '../../../../src/directory/redis/oversized.ts';

const LONG = 'A'.repeat(LONGEST_READ + 50);

describe('values that are not read whole', () => {
  it('are the keys of a late batch, until their values are found short', () => {
    const values = new OversizedValues();
    expect(values.concerns(['a', 'b'])).toBe(false);
    values.suspect(['a', 'b']);
    expect(values.concerns(['b', 'c'])).toBe(true);
    values.note('a', 'short');
    values.note('b', null);
    expect(values.concerns(['a', 'b'])).toBe(false);
  });

  it('are remembered until the feed names the key, and are suspect then', () => {
    const values = new OversizedValues();
    values.note('a', LONG);
    expect(values.of('a')).toBe(LONG.slice(0, LONGEST_READ));
    expect(values.isSuspect('a')).toBe(false);
    values.heard('b');
    expect(values.of('a')).toBeDefined();
    values.heard('a');
    expect(values.of('a')).toBeUndefined();
    expect(values.isSuspect('a')).toBe(true);
  });

  it('are all suspect after a gap', () => {
    const values = new OversizedValues();
    values.note('a', LONG);
    values.heardOfAll();
    expect([values.of('a'), values.isSuspect('a')]).toEqual([undefined, true]);
  });

  it('are remembered up to a bound, and the oldest is forgotten first', () => {
    const values = new OversizedValues();
    for (let n = 0; n < 30_000; n++) {
      values.note(`known ${n}`, LONG);
      values.suspect([`suspect ${n}`]);
    }
    expect([values.of('known 0'), values.isSuspect('suspect 0')]).toEqual([undefined, false]);
    expect([values.of('known 29999') !== undefined, values.isSuspect('suspect 29999')]).toEqual([true, true]);
    expect(values.of('known 19000')).toBeUndefined();
  });
});

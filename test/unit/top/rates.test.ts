import { expect, test } from 'vitest';
import type { Status } from '../../../src/observe/http/status.ts';
import { type Frame, view } from '../../../src/top/rates.ts';
import { BOUNDS, askedLike, deviceLike, distribution, statusLike } from '../fake/status.ts';

/** Two looks, two seconds apart. */
function after(before: Partial<Status>, now: Partial<Status>): Frame {
  const time = new Date(0);
  const first = { time, at: 1_000, status: statusLike(before) };
  const seen = view(view(undefined, first, undefined), { time, at: 3_000, status: statusLike(now) }, first);
  if (seen.silent !== undefined) throw new Error('silent');
  return seen;
}

test('counts become rates per second', () => {
  const { since } = after(
    {
      misses: { l2: 1, l3: 10 },
      resolutions: { l2: { resolved: 1, shed: 0 }, l3: { resolved: 5, shed: 4 } },
      ignored: { negative: 1 },
      devices: [deviceLike({ misses: 11 })],
    },
    {
      misses: { l2: 3, l3: 20 },
      resolutions: { l2: { resolved: 3, shed: 0 }, l3: { resolved: 10, shed: 8 } },
      ignored: { negative: 2 },
      devices: [deviceLike({ misses: 23 }), deviceLike({ namespace: 'red', misses: 4 })],
    },
  );
  expect(since).toMatchObject({
    seconds: 2,
    misses: { l2: 1, l3: 5 },
    resolutions: { resolved: 3.5, shed: 2 },
    shed: 2,
    ignored: { negative: 0.5 },
    devices: { 'vxlan100@blue': 6, 'vxlan100@red': 2 },
  });
});

test('percentiles cover the time between two samples, not since the start', () => {
  const { since } = after(
    { latency: { resolution: distribution(1_000, 0, 0, 0), lookup: distribution(5, 0, 0, 0) } },
    { latency: { resolution: distribution(1_000, 0, 10, 0), lookup: distribution(5, 0, 0, 0) } },
  );
  expect(since?.resolution.count).toBe(10);
  expect(since?.resolution.p50).toBeCloseTo(0.055);
  expect(since?.resolution.p99).toBeGreaterThan(BOUNDS[1] ?? NaN);
  expect(since?.lookup).toEqual({ count: 0, p50: undefined, p90: undefined, p99: undefined });
});

test('an address has a rate if it is in both samples', () => {
  const { since } = after(
    { hottest: [askedLike({ asked: 10 })] },
    { hottest: [askedLike({ asked: 30 }), askedLike({ address: '20.0.0.9', asked: 1_000 })] },
  );
  expect(since?.hottest).toEqual({ '20.0.0.2@vxlan100@blue': 10 });
});

test.each([
  ['another process', { pid: 1, uptime: 1 }, { pid: 2, uptime: 1 }],
  ['the same pid in a container, begun anew', { pid: 1, uptime: 100 }, { pid: 1, uptime: 1 }],
])('a restarted daemon begins at zero: %s', (_, before, now) => {
  expect(after({ ...before, misses: { l3: 100 } }, { ...now, misses: { l3: 5 } }).since).toBeUndefined();
});

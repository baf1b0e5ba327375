import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import pc from 'picocolors';
import { showStatus } from '../../../src/cli/show-status.ts';
import type { Status } from '../../../src/observe/http/status.ts';
import { render } from '../../../src/top/render.ts';
import { type View, view } from '../../../src/top/rates.ts';
import { askedLike, deviceLike, distribution, statusLike, worst } from '../fake/status.ts';

const PLAIN = pc.createColors(false);
const COLOURED = pc.createColors(true);
const TIME = new Date(2026, 10, 21, 12, 34, 56);

const looks = (...statuses: Status[]): View => {
  const samples = statuses.map((status, n) => ({ time: TIME, at: n * 1000, status }));
  const seen = samples.reduce<View | undefined>(
    (before, one, n) => view(before, one, samples[n - 1]),
    undefined,
  );
  if (seen === undefined) throw new Error('nothing to look at');
  return seen;
};
const lost = (last?: View): View =>
  view(last, { time: TIME, at: 9_000, silent: 'connect ECONNREFUSED\u001b[2J'.padEnd(300, 'x') }, undefined);

const SIZES = [20, 60, 80, 100, 149, 150, 200].flatMap((width) =>
  [5, 10, 24, 60].map((height) => ({ width, height })),
);
const VIEWS: [string, View][] = [
  ['a quiet daemon', looks(statusLike(), statusLike())],
  ['the first look', looks(statusLike())],
  ['everything at once', looks(worst(), worst())],
  ['a daemon that is gone', lost(looks(worst()))],
  ['a daemon that never was', lost()],
];

describe.each(VIEWS)('%s', (_, seen) => {
  test.each(SIZES)('fits into $width×$height, with colour and without', (size) => {
    for (const palette of [PLAIN, COLOURED]) {
      const lines = render(seen, 1, size, palette);
      expect(lines.length).toBeLessThanOrEqual(size.height);
      for (const line of lines) {
        const text = stripVTControlCharacters(line);
        expect(text.length, text).toBeLessThanOrEqual(size.width);
        expect(text).toMatch(/^[\x20-\x7e…]*$/);
      }
    }
  });

  test('has the same text with and without colour', () => {
    const size = { width: 80, height: 24 };
    const plain = render(seen, 1, size, PLAIN);
    expect(plain.join('')).not.toContain('\u001b');
    expect(render(seen, 1, size, COLOURED).map((line) => stripVTControlCharacters(line))).toEqual(plain);
  });
});

describe.each([
  ['a quiet daemon', statusLike()],
  ['everything at once', worst()],
])('status of %s', (_, status) => {
  test.each([80, 100, 200])('fits into %d columns', (width) => {
    for (const palette of [PLAIN, COLOURED])
      for (const line of showStatus(status, width, palette).split('\n')) {
        const text = stripVTControlCharacters(line);
        expect(text.length, text).toBeLessThanOrEqual(width);
        expect(text).toMatch(/^[\x20-\x7e…]*$/);
      }
  });

  test('a pipe gets no colour and whole names', () => {
    const text = showStatus(status, Infinity, PLAIN);
    expect(text).not.toContain('\u001b');
    expect(text).not.toContain('…');
  });
});

const busy = (misses: number): Status =>
  statusLike({
    misses: { l2: misses / 10, l3: misses },
    resolutions: {
      l2: { resolved: misses / 10, unknown: 0, failed: 0, shed: 0, local: 0 },
      l3: { resolved: misses - 20, unknown: 20, failed: 0, shed: 0, local: 0 },
    },
    latency: { resolution: distribution(misses, 0, 0, 0), lookup: distribution(misses, 0, 0, 0) },
    devices: [
      deviceLike({ name: 'vxlan200', vni: 200, misses: 10 }),
      deviceLike({ misses }),
      deviceLike({ name: 'vxlan300', vni: 300, up: false, misses: 10 }),
    ],
    unserved: [{ name: 'vxlan9', namespace: 'blue', vni: 9, reason: 'its bridge br0 filters VLANs' }],
    hottest: [
      askedLike({ asked: misses, perSecond: 90 }),
      askedLike({ address: 'fd20:1234:5678:9abc:def0:1234:5678:9abc', perSecond: 2 }),
    ],
    unknown: [askedLike({ address: '20.0.0.77', asked: 340, firstSeconds: 1_020, lastSeconds: 3 })],
    shed: [{ device: 'vxlan100@blue', port: 'g7', shed: 12_345 }],
  });

test('a frame of 80×24', () => {
  const frame = render(looks(busy(1_000), busy(2_000)), 1, { width: 80, height: 24 }, PLAIN);
  expect(`\n${frame.join('\n')}\n`).toBe(`
missd 0.1.0   pid 1234   up 60 min   ready                   12:34:56  every 1 s
directory  up for 60 min   redis 127.0.0.1:6379
    L3/S      L2/S  RESOLVED   UNKNOWN    FAILED   DROPPED     LOCAL   IGNORED
   1,000       100     1,100         0         0         0         0         0
latency    p50 0.50 ms   p90 0.90 ms   p99 0.99 ms
entries    2 of 200,000   negative 0   in flight 0   tables compared 4 s ago
troubles   dropped 12,345 of g7
not served vxlan9: its bridge br0 filters VLANs

DEVICE    NAMESPACE  VNI  MISS/S  NEIGH  FDB  NEGATIVE  STATE
vxlan100  blue       100   1,000      2    1         0  bridged
vxlan200  blue       200       0      2    1         0  bridged
vxlan300  blue       300       0      2    1         0  down, bridged

MOST ASKED FOR                           VNI     /S  /S, 1 MIN  ASKED  BY PORT
20.0.0.2                                 100  1,000         90  2,000  g1
fd20:1234:5678:9abc:def0:1234:5678:9abc  100      0          2     10  g1

UNRESOLVED  VNI     FOR     LAST  ASKED  BY PORT  NAMESPACE
20.0.0.77   100  17 min  3 s ago    340  g1       blue
`);
});

test('a wide frame has the lists of addresses side by side', () => {
  const frame = render(looks(busy(1_000), busy(2_000)), 1, { width: 200, height: 24 }, PLAIN);
  expect(frame.filter((line) => /^MOST ASKED FOR .* UNRESOLVED /.test(line))).toHaveLength(1);
  expect(frame.filter((line) => /^20\.0\.0\.2 .* 20\.0\.0\.77 /.test(line))).toHaveLength(1);
});

test('lists share the rows, and count the missing ones', () => {
  const frame = render(looks(worst(), worst()), 1, { width: 80, height: 24 }, PLAIN);
  expect(frame).toHaveLength(24);
  expect(frame.filter((line) => /^(DEVICE|MOST ASKED|UNRESOLVED)/.test(line))).toHaveLength(3);
  const missing = frame.flatMap((line) => /^… (\d+) more$/.exec(line)?.[1] ?? []);
  expect(missing).toHaveLength(3);
  const shown = frame.filter((line) => /^(vx\d|fd20)/.test(line)).length;
  expect(shown + missing.map(Number).reduce((a, b) => a + b, 0)).toBe(240);
});

test('a silent daemon is shown with its last known state, until it answers again', () => {
  const before = looks(busy(1_000));
  const gone = lost(before);
  const later = view(
    gone,
    { time: new Date(TIME.getTime() + 60_000), at: 60_000, silent: 'still' },
    undefined,
  );
  const lines = render(later, 1, { width: 80, height: 24 }, PLAIN);
  expect(lines.slice(0, 2)).toEqual([
    'no daemon answers since 12:34:56, trying again: still',
    'its last known state:',
  ]);
  expect(lines.join('\n')).toContain('redis 127.0.0.1:6379');
  const back = view(later, { time: TIME, at: 61_000, status: busy(5) }, undefined);
  expect(render(back, 1, { width: 80, height: 24 }, PLAIN)[0]).toContain('missd 0.1.0');
});

const published = (rest: Partial<Status['publishing'][number]> = {}): Status['publishing'][number] => ({
  ...{ network: 'blue', vni: 100, host: '10.99.0.1', lease: 23, guests: 3, addresses: 4, claims: [] },
  refused: { duplicate: 0, manual: 0, frozen: 0 },
  ...rest,
});

describe('what a host publishes', () => {
  test('status shows for each network, with what is refused and why there is no lease', () => {
    const red = {
      network: 'red',
      loss: 'displaced',
      refused: { duplicate: 1, manual: 2, frozen: 0 },
    } as const;
    const text = showStatus(statusLike({ publishing: [published(), published(red)] }), 100, PLAIN);
    const rows = text.split('\n').map((line) => line.trim().split(/ {2,}/));
    expect(rows).toContainEqual(['PUBLISHED IN', 'AS HOST', 'LEASE', 'GUESTS', 'ADDRESSES', 'REFUSED']);
    expect(rows).toContainEqual(['blue', '10.99.0.1', '23 s', '3', '4', '-']);
    expect(rows).toContainEqual(['red', '10.99.0.1', 'displaced', '3', '4', 'duplicate 1, manual 2']);
    expect(showStatus(statusLike(), 100, PLAIN)).not.toContain('PUBLISHED IN');
  });

  test('top sums up in one line', () => {
    const size = { width: 100, height: 24 };
    const line = (...publishing: Status['publishing']): string | undefined =>
      render(looks(statusLike({ publishing })), 1, size, PLAIN).find((one) => one.startsWith('publishing'));
    expect(line()).toBeUndefined();
    expect(line(published(), published({ refused: { duplicate: 1, manual: 0, frozen: 1 } }))).toMatch(
      /^publishing +6 guests +8 addresses +refused 2 +networks 2$/,
    );
    expect(line(published({ loss: 'cloned' }))).toMatch(/^publishing +blue: lease cloned /);
  });
});

/** Networks of every kind in which nothing is wrong: doctor has nothing to say of them. */
import { afterEach, expect, test } from 'vitest';
import { until } from '../../src/lab/wait.ts';
import { examine, isOfTheMachine } from './doctor.ts';
import { Pair, type PairOptions, tellOnFailure } from './harness.ts';
import { roomForNeighbours } from './neighbour-table.ts';

let pair: Pair | undefined;
tellOnFailure(() => pair);
afterEach(async () => {
  await pair?.close();
  pair = undefined;
  await roomForNeighbours();
});

test.each<[string, PairOptions]>([
  ['routed, as Flannel', { segments: [{ topology: 'routed' }] }],
  ['a namespace of its own, as Docker', { segments: [{ topology: 'overlay' }] }],
  ['an underlay of IPv6', { underlay: 'ipv6' }],
  ['several VNIs', { segments: [{}, { vni: 200 }] }],
])('%s', async (_, options) => {
  pair = await Pair.build(options);
  await pair.redis.cli('CONFIG', 'SET', 'appendonly', 'yes');
  await pair.publishGuests(pair.guest1, pair.guest2);
  const { code, named, find } = await examine(pair, pair.host1);
  expect(named('note').filter((name) => !isOfTheMachine(name))).toEqual([]);
  expect(find('underlay/routes')?.what).toMatch(/: 1 other host$/);
  expect(find('mtu/fits')?.what).toMatch(/ \+ (50|70) within 1500/);
  expect(code).toBe(0);
});

/** One datagram each to as many addresses that nobody has; what waits for an answer counts against its socket's buffer. */
const CONTACT = `
import socket, sys
wires = []
for n in range(int(sys.argv[1])):
    if n % 100 == 0:
        wires.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    try:
        wires[-1].sendto(b"x", ("10.20.%d.%d" % (128 + n // 256, n % 256), 9))
    except OSError:
        pass
`;

test('a neighbour table that is full: the daemon says so, counts it, and doctor says what to set', async () => {
  pair = await Pair.build({ segments: [{ topology: 'routed' }] });
  const { daemon, host1 } = pair;
  const { find } = await examine(pair, host1);
  const limit = Number(/gc_thresh3 is (\d+)/.exec(find('limits/gc_thresh-ipv4')?.what ?? '')?.[1]);
  // Another machine's limit may be out of reach for a test.
  if (limit > 4096) return;
  expect(find('limits/gc_thresh-ipv4')?.level).toBe('warning');
  await host1.namespace.exec(['python3', '-c', CONTACT, String(2 * limit)]);
  await until('the count', async () => {
    return (await daemon.metric('missd_neighbour_table_full_total', { family: 'ipv4' })) > 0;
  });
  const lines = daemon.log.filter((line) => line.includes('gc_thresh'));
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain(`gc_thresh3 ${limit}`);
  expect((await examine(pair, host1)).find('limits/gc_thresh-ipv4')?.what).toMatch(/full \d+ times/);
});

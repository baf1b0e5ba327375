/** What `missd explain` makes of hosts that route, and of a device whose packets leave from another namespace. */
import { afterEach, expect, test } from 'vitest';
import type { Host } from '../../src/lab/host.ts';
import { RoutedSegment } from '../../src/lab/routed-segment.ts';
import { explain, follow } from './explaining.ts';
import { Pair, tellOnFailure } from './harness.ts';

let pair: Pair | undefined;
tellOnFailure(() => pair);
afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

const routed = ({ segment }: Host): RoutedSegment => {
  if (!(segment instanceof RoutedSegment)) throw new Error('not a routed segment');
  return segment;
};

test('routed: the lease, the way to the device, and the proof', async () => {
  pair = await Pair.build({ segments: [{ topology: 'routed' }] });
  await pair.publishLeases(routed(pair.host1), routed(pair.host2));
  const address = pair.guest2.ip4 ?? '';
  const before = await explain(pair, { address });
  expect(before.verdict.says).toMatch(/^not asked yet: /);
  const { verdict, of } = await explain(pair, { address, from: pair.guest1 });
  expect(verdict.works).toBe(true);
  expect(of('lease')[0]).toMatchObject({ level: 'ok' });
  expect(of('device').map(({ text }) => text)).toContain(`${address} is routed to it`);
  expect(of('daemon').map(({ text }) => text)).toContainEqual(
    expect.stringMatching(/ from lease:10\.20\.2\.0\/24, /),
  );

  const { namespace } = pair.host1;
  await namespace.ip(['route', 'del', '10.20.0.0/16', 'dev', 'vxlan100']);
  const lost = await explain(pair, { address });
  expect(lost.verdict).toMatchObject({ works: false, cause: 'unrouted' });
  await follow(lost);
  expect((await explain(pair, { address, from: pair.guest1 })).verdict.works).toBe(true);
});

test('routed, without app_solicit: the kernel never asks', async () => {
  pair = await Pair.build({ segments: [{ topology: 'routed' }], noDaemons: true });
  await pair.publishLeases(routed(pair.host1), routed(pair.host2));
  const found = await explain(pair, { address: pair.guest2.ip4 ?? '' });
  expect(found.verdict).toMatchObject({ works: false, cause: 'no_app_solicit' });
  const { namespace } = pair.host1;
  expect(found.verdict.next).toBe(
    `ip netns exec ${namespace.name} sysctl -w net.ipv4.neigh.vxlan100.app_solicit=3`,
  );
  await namespace.sysctl({ 'net/ipv4/neigh/vxlan100/app_solicit': 3 });
  expect((await explain(pair, { address: pair.guest2.ip4 ?? '' })).verdict.cause).toBe('no_daemon');
});

test('a device in a namespace of its own: the underlay is looked at where its packets leave', async () => {
  pair = await Pair.build({ segments: [{ topology: 'overlay' }] });
  await pair.publishGuests(pair.guest1, pair.guest2);
  const { verdict, of } = await explain(pair, { from: pair.guest1 });
  expect(verdict.works).toBe(true);
  expect(of('MTU')[0]).toMatchObject({ level: 'ok' });
  await pair.host1.namespace.ip(['link', 'set', 'eth0', 'down']);
  const cut = await explain(pair);
  expect(cut.verdict).toMatchObject({ works: false, cause: 'underlay_down' });
  expect(cut.verdict.next).toBe(`ip -n ${pair.host1.namespace.name} link set eth0 up`);
});

test('IPv6 all the way', async () => {
  pair = await Pair.build({ underlay: 'ipv6' });
  await pair.publishGuests(pair.guest1, pair.guest2);
  const { verdict, of } = await explain(pair, { address: 'fd20::2', from: pair.guest1 });
  expect(verdict.works).toBe(true);
  expect(of('MTU')[0]?.text).toMatch(/^1430 of vxlan100 \+ 70 of VXLAN = 1500: got through/);
});

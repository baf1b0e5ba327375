import { afterEach, expect, test } from 'vitest';
import { MISSD } from '../../src/lab/daemon.ts';
import { macOf } from '../../src/lab/address.ts';
import { run } from '../../src/lab/command.ts';
import { ipKey } from '../../src/lab/records.ts';
import { Pair, ask, counting, tellOnFailure } from './harness.ts';

let pair: Pair | undefined;
tellOnFailure(() => pair);
afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

test('a permanent forwarding entry is the operator’s word: it stays, and the packet goes its way', async () => {
  pair = await Pair.build();
  const { host1, guest1, guest2 } = pair;
  await pair.publishGuests(guest1);
  // The record is wrong and the operator knows better.
  await pair.publish([ipKey(100, '20.0.0.2'), `${guest2.mac} 10.99.0.77`]);
  const entry = [guest2.mac, 'dev', 'vxlan100', 'self', 'dst', '10.99.0.2', 'permanent'];
  await host1.namespace.bridge(['fdb', 'add', ...entry]);
  const before = await host1.segment.fdb();
  expect(before).toHaveLength(1);
  await ask(pair.daemon, guest1, '20.0.0.2');
  expect(await host1.segment.fdb()).toEqual(before);
  expect((await guest1.ping('20.0.0.2')).received).toBe(1);
});

/** IFLA_BRPORT_MULTICAST_ROUTER of the VXLAN device's port. */
async function routerPort(): Promise<unknown> {
  const [row] = (await pair?.host1.namespace.show('-details', 'link', 'show', 'vxlan100')) ?? [];
  const { info_slave_data: data } = row?.['linkinfo'] as { info_slave_data: Record<string, unknown> };
  return data['multicast_router'];
}

test('flush removes our own entries and no others', async () => {
  pair = await Pair.build();
  const { host1, guest1, guest2 } = pair;
  await pair.publishGuests(guest1, guest2);
  const foreign = ['02:99:00:00:00:01', 'dev', 'vxlan100'] as const;
  await host1.namespace.bridge(['fdb', 'add', ...foreign, 'self', 'dst', '10.99.0.2', 'permanent']);
  await host1.namespace.ip(
    ['neigh', 'add', '20.0.0.88', 'lladdr', ...foreign, 'nud', 'permanent'],
    ['neigh', 'add', '20.0.0.89', 'lladdr', ...foreign, 'nud', 'noarp', 'extern_learn', 'proto', 42],
    ['neigh', 'add', '20.0.0.90', 'lladdr', ...foreign, 'nud', 'permanent', 'proto', 77],
  );
  const before = { fdb: await host1.segment.fdb(), neighbours: await host1.segment.neighbours() };
  await guest1.ping('20.0.0.2');
  expect(await host1.segment.neighbours()).toHaveLength(4);
  await pair.daemon.kill();
  // What a killed daemon had set on the bridge port is written down, and set back.
  const flush = (): Promise<string> =>
    run([process.execPath, MISSD, 'flush', '--netns', host1.namespace.name]);
  expect(await host1.segment.neighbours()).toHaveLength(4);
  expect(await routerPort()).toBe(2);
  expect(await flush()).toContain('mcast_router 1 again');
  expect(await routerPort()).toBe(1);
  expect(await host1.segment.fdb()).toEqual(before.fdb);
  expect(await sorted(host1.segment.neighbours())).toEqual(await sorted(Promise.resolve(before.neighbours)));
});

test('where the forwarding entry is refused no neighbour stays', async () => {
  // A device that takes one entry refuses the second with ENOSPC (drivers/net/vxlan, `vxlan_fdb_create`).
  pair = await Pair.build({ segments: [{ more: ['maxaddress', 1] }], also: [3] });
  const { host1, host2, guest1, guest2 } = pair;
  await pair.publishGuests(guest1, guest2);
  await pair.publish([ipKey(100, '20.0.0.3'), `${macOf('20.0.0.3')} ${host2.vtep}`]);
  expect((await guest1.ping('20.0.0.2')).received).toBe(1);
  const { daemon } = pair;
  const { since } = await counting(daemon, () => ask(daemon, guest1, '20.0.0.3'));
  expect(since('missd_resolutions_total', { layer: 'l3', outcome: 'failed' })).toBe(1);
  expect((await host1.segment.neighbours()).map((row) => row.ip)).toEqual(['20.0.0.2']);
  // A refusal is not remembered as an answer: with room it works.
  await host1.namespace.bridge(['fdb', 'del', guest2.mac, 'dev', 'vxlan100', 'self']);
  await host1.namespace.ip(['neigh', 'del', '20.0.0.2', 'dev', 'vxlan100']);
  expect((await guest1.ping('20.0.0.3', { timeout: 5 })).received).toBe(1);
});

async function sorted<T extends { ip: string }>(rows: Promise<T[]>): Promise<T[]> {
  return (await rows).sort((a, b) => a.ip.localeCompare(b.ip));
}

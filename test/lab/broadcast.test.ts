/** Broadcast without multicast in the underlay: head-end replication to the hosts that take part. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { macOf } from '../../src/lab/address.ts';
import type { Guest } from '../../src/lab/guest.ts';
import type { Host } from '../../src/lab/host.ts';
import { ipKey } from '../../src/lab/records.ts';
import { until } from '../../src/lab/wait.ts';
import { GROUPS } from '../../src/model/replicated-groups.ts';
import { askDhcp, serveDhcp } from './dhcp.ts';
import { BEFORE_THE_RETRY, Pair, close, counting, tellOnFailure } from './harness.ts';
import { UnderlayTap } from './underlay-tap.ts';

let pair: Pair;
beforeAll(async () => {
  pair = await Pair.build({ flags: ['--broadcast', '100', '--audit', '1'] });
  await pair.publishGuests(pair.guest1, pair.guest2);
});
afterAll(() => close(pair));
tellOnFailure(() => pair);

/** `GROUP VTEP` for everything on a host's device that is no endpoint's. */
async function replicas({ segment }: Host): Promise<string[]> {
  const rows = (await segment.fdb()).filter(({ lladdr }) => /^(.[13579bdf]|00:00:00:00:00:00)/.test(lladdr));
  return rows.map(({ lladdr, vtep = '' }) => `${lladdr} ${vtep}`).sort();
}

const all = (...hosts: string[]): string[] =>
  GROUPS.flatMap((group) => hosts.map((vtep) => `${group} ${vtep}`)).sort();

async function becomes(host: Host, wanted: string[]): Promise<void> {
  const same = async () => JSON.stringify(await replicas(host)) === JSON.stringify(wanted);
  await until('the replication to be right', same, { timeout: 30_000 }).catch(() => undefined);
  expect(await replicas(host)).toEqual(wanted);
}

test('every group has a remote per host, and no default entry stands', async () => {
  await becomes(pair.host1, all(pair.host2.vtep));
  await becomes(pair.host2, all(pair.host1.vtep));
});

test('DHCP: a server on one host, a client on another', async () => {
  const { guest1, host2, lab } = pair;
  const client = await host2.addGuest({ n: 50, ip4: null, ip6: null, mac: macOf('20.0.0.50'), dad: false });
  await pair.publish([ipKey(100, '20.0.0.50'), `${client.mac} ${host2.vtep}`]);
  const server = await serveDhcp(lab, guest1, '20.0.0.50');
  await askDhcp(lab, client);
  expect(await client.namespace.exec(['ip', 'address', 'show', 'dev', 'eth0'])).toContain('20.0.0.50/24');
  expect((await client.ping('20.0.0.1')).received).toBe(1);
  server.signal('SIGTERM');
});

/** Neighbour advertisements that a guest has heard. */
async function heard({ namespace }: Guest): Promise<number> {
  const text = await namespace.exec(['cat', '/proc/net/snmp6']);
  return Number(/^Icmp6InNeighborAdvertisements\s+(\d+)/m.exec(text)?.[1]);
}

test('L2 misses stay on, questions are answered here, and announcements stay on the host', async () => {
  const { guest1, guest2, host1, host2, lab, daemon } = pair;
  const tap = await UnderlayTap.start(lab.underlay);
  const beside = await host1.addGuest({ n: 3, dad: false });
  for (const [from, to] of [
    [guest1, guest2],
    [guest2, guest1],
    // Of the same host: the question goes to every port, the tunnel's too.
    [beside, guest1],
  ] as const) {
    await from.forgetNeighbours();
    for (const ip of [to.ip4, to.ip6]) {
      const pinged = await from.ping(ip ?? '');
      expect(pinged.received).toBe(1);
      expect(pinged.rtts[0]).toBeLessThan(BEFORE_THE_RETRY);
    }
  }
  await guest1.namespace.ip(['neigh', 'add', '20.0.0.77', 'lladdr', macOf('20.0.0.77'), 'dev', 'eth0']);
  const misses = await counting(daemon, () => guest1.ping('20.0.0.77', { timeout: 0.2 }));
  expect(misses.since('missd_misses_total', { layer: 'l2' })).toBeGreaterThan(0);

  // An address with another MAC is told to every guest of this host.
  const sent = () => daemon.metric('missd_announcements_total', { outcome: 'sent' });
  for (const ip of ['20.0.0.88', 'fd20::88']) {
    await pair.publish([ipKey(100, ip), `${macOf('20.0.0.88')} ${host2.vtep}`]);
    await guest1.ping(ip, { timeout: 0.2 });
    const [here, there, before] = [await heard(guest1), await heard(guest2), await sent()];
    await pair.publish([ipKey(100, ip), `${macOf('20.0.0.89')} ${host2.vtep}`]);
    // One for each port of the bridge.
    await until('it to be told', async () => (await sent()) >= before + 2);
    if (ip.includes(':')) await until('it to be heard', async () => (await heard(guest1)) > here);
    expect(await heard(guest2)).toBe(there);
  }
  const { ping, ...told } = await tap.seen();
  expect(ping).toBeGreaterThan(0);
  expect(told).toEqual({ arp: 0, solicitation: 0, advertisement: 0, experiment: 0 });

  // What a guest itself says to all nodes is replicated, and would be seen.
  await host1.addGuest({ n: 4, dad: false, announce: true });
  await until('it to be seen', async () => (await tap.seen()).advertisement > 0);
});

const zadd = async (member: string, milliseconds: number): Promise<void> => {
  const [seconds = ''] = (await pair.redis.cli('TIME')).split('\n');
  await pair.redis.cli('ZADD', 'missd:{100}:vteps', String(Number(seconds) * 1000 + milliseconds), member);
};

test('members come and go: a dead one by itself, malformed ones not at all, a stopped one at once', async () => {
  const { host1, host2 } = pair;
  await zadd('fd99::77', 60_000);
  await zadd('127.0.0.1', 60_000);
  await zadd('10.99.0.77', 7_000);
  await becomes(host1, all(host2.vtep, '10.99.0.77'));
  expect(await pair.daemon.metric('missd_directory_malformed_records_total')).toBeGreaterThanOrEqual(2);
  expect(await pair.daemon.metric('missd_broadcast_replicas')).toBe(2);
  await becomes(host1, all(host2.vtep));
  await pair.daemons[1]?.stop();
  expect(await pair.redis.cli('ZSCORE', 'missd:{100}:vteps', host2.vtep)).toBe('');
  await becomes(host1, []);
});

test('without the option what was replicated goes, and an operator’s entry stays', async () => {
  const { host1, host2 } = pair;
  await zadd('10.99.0.78', 60_000);
  await becomes(host1, all('10.99.0.78'));
  await pair.daemon.stop();
  await host1.namespace.bridge(['fdb', 'append', 'ff:ff:ff:ff:ff:fe', 'dev', 'vxlan100', 'dst', host2.vtep]);
  await pair.serve(host1);
  await becomes(host1, [`ff:ff:ff:ff:ff:fe ${host2.vtep}`]);
});

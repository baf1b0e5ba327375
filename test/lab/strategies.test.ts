/** Entries that are there before anybody asks, and what happens when a VNI's strategy is another after a restart. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { guestIp4, guestIp6, macOf } from '../../src/lab/address.ts';
import type { Host } from '../../src/lab/host.ts';
import { MISSD } from '../../src/lab/daemon.ts';
import { addressRecords, ipKey, macKey } from '../../src/lab/records.ts';
import { RoutedSegment } from '../../src/lab/routed-segment.ts';
import { until } from '../../src/lab/wait.ts';
import { expectTables, rowsOf } from '../faults/tables.ts';
import { Traffic } from '../faults/traffic.ts';
import { BEFORE_THE_RETRY, Pair, ask, close, counting, tellOnFailure } from './harness.ts';

describe('preload', () => {
  const THERE = Array.from({ length: 20 }, (_, index) => 50 + index);
  let pair: Pair;
  beforeAll(async () => {
    pair = await Pair.build({ noDaemons: true });
    const record = (n: number) =>
      [ipKey(100, guestIp4(n)), `${macOf(guestIp4(n))} ${pair.host2.vtep}`] as const;
    await pair.publishGuests(pair.guest1, pair.guest2);
    await pair.publish(...THERE.map(record), [macKey(100, macOf('20.0.0.99')), pair.host2.vtep]);
    await pair.publish([ipKey(100, guestIp4(90)), `ff:ff:ff:ff:ff:ff ${pair.host2.vtep}`]);
    await pair.serve(pair.host1, ['--strategy', '100=preload', '--idle', '0.5', '--audit', '0.5']);
    await pair.serve(pair.host2);
  });
  afterAll(() => close(pair));
  tellOnFailure(() => pair);

  const guest2 = guestIp4(2);
  const remote = (): string[] => [...THERE.map(guestIp4), guest2, guestIp6(2)];

  test('everything of other hosts is there without a miss, and nothing of this one', async () => {
    await expectTables(pair.host1.segment, pair.redis, { ips: remote(), macs: [macOf('20.0.0.99')] });
    expect(await pair.daemon.metric('missd_misses_total')).toBe(0);
    expect(await pair.daemon.metric('missd_directory_malformed_records_total')).toBeGreaterThan(0);
    const { done, since } = await counting(pair.daemon, () => pair.guest1.ping(guest2));
    expect(done.received).toBe(1);
    expect(done.rtts[0]).toBeLessThan(BEFORE_THE_RETRY);
    expect(since('missd_resolutions_total', { outcome: 'resolved' })).toBe(0);
  });

  test('it follows the directory: new, moved, deleted; and it is never idle', async () => {
    const fresh = guestIp4(80);
    const { host1 } = pair;
    await pair.publish(
      [ipKey(100, fresh), `${macOf(fresh)} ${pair.host2.vtep}`],
      [macKey(100, macOf('20.0.0.98')), '10.99.0.9'],
    );
    await pair.redis.cli('DEL', ipKey(100, guestIp4(50)));
    await pair.publish([ipKey(100, guestIp4(51)), `${macOf(guestIp4(51))} 10.99.0.9`]);
    const ips = [...remote().filter((ip) => ip !== guestIp4(50)), fresh];
    const macs = [macOf('20.0.0.98'), macOf('20.0.0.99')];
    await expectTables(host1.segment, pair.redis, { ips, macs });
    // Idle is checked by every audit: of everything, none went.
    expect(await pair.daemon.metric('missd_reconcile_changes_total', { action: 'idle' })).toBe(0);
    expect(await pair.daemon.metric('missd_misses_total', { layer: 'l2' })).toBe(0);
  });

  test('what is in no record is still asked for', async () => {
    await ask(pair.daemon, pair.guest1, '20.0.0.200');
    expect(await pair.daemon.metric('missd_resolutions_total', { outcome: 'unknown' })).toBeGreaterThan(0);
  });
});

test('a device in a bridge cannot have routes: it is told, and the rest is served', async () => {
  const pair = await Pair.build({
    noDaemons: true,
    segments: [{}, { vni: 7, dstport: 4791, topology: 'routed' }],
  });
  try {
    const daemon = await pair.serve(pair.host1, ['--strategy', '100=routes,7=routes']);
    const said = (words: string): string[] => daemon.log.filter((line) => line.includes(words));
    expect(said('--strategy 100=routes is for a host that routes')).toHaveLength(1);
    expect(said('serving vxlan7')).toHaveLength(1);
    expect(await daemon.metric('missd_devices')).toBe(1);
  } finally {
    await pair.close();
  }
});

const routed = ({ segment }: Host): RoutedSegment => {
  if (!(segment instanceof RoutedSegment)) throw new Error('not a routed segment');
  return segment;
};

/** `CIDR via GATEWAY` of the routes that are missd's. */
async function routes({ namespace }: Host): Promise<string[]> {
  const rows = [
    ...(await namespace.show('-4', 'route', 'show', 'proto', 77)),
    ...(await namespace.show('-6', 'route', 'show', 'proto', 77)),
  ];
  return rows
    .map(
      ({ dst, gateway, dev, flags }) => `${String(dst)} ${String(gateway)} ${String(dev)} ${String(flags)}`,
    )
    .sort();
}

const becomes = async (host: Host, wanted: string[]): Promise<void> => {
  const same = async () => JSON.stringify(await routes(host)) === JSON.stringify(wanted);
  await until('the routes to be right', same).catch(() => undefined);
  expect(await routes(host)).toEqual(wanted);
};

/** Traffic of guest 1 to guest 2 goes on while the daemon of host 1 is started anew with each of these. */
async function livesThrough(
  pair: Pair,
  strategies: readonly string[],
  converged: (strategy: string) => Promise<void>,
): Promise<void> {
  const { lab, host1, guest1, guest2 } = pair;
  const traffic: Traffic[] = [];
  for (const strategy of strategies) {
    await pair.daemons[0]?.stop();
    await pair.serve(host1, ['--strategy', `100=${strategy}`, '--audit', '1']);
    await converged(strategy);
    if (traffic.length === 0)
      for (const ip of [guest2.ip4, guest2.ip6]) traffic.push(await Traffic.start(lab, guest1, ip ?? ''));
    for (const one of traffic) await one.flows();
  }
  for (const one of traffic) expect((await one.stop()).lost).toBe(0);
  await pair.daemon.stop();
}

test('bridged, an established pair lives through every change of strategy', async () => {
  const pair = await Pair.build({ noDaemons: true });
  try {
    const { guest1, guest2, host1, host2, redis } = pair;
    const there = guestIp4(50);
    await pair.publishGuests(guest1, guest2);
    await pair.publish([ipKey(100, there), `${macOf(there)} ${host2.vtep}`]);
    await pair.serve(host2);
    const ips = [there, guest2.ip4 ?? '', guest2.ip6 ?? ''];
    await livesThrough(pair, ['miss', 'preload', 'miss'], async (strategy) => {
      if (strategy === 'preload') await expectTables(host1.segment, redis, { ips });
    });
    // What was written ahead stays until it is idle.
    await expectTables(host1.segment, redis, { ips });
  } finally {
    await pair.close();
  }
});

describe('routes', () => {
  let pair: Pair;
  const ROUTES = ['10.20.2.0/24 10.20.2.0 vxlan100 onlink', 'fd20:0:0:2::/64 fd20:0:0:2:: vxlan100 onlink'];
  const flags = (strategy: string, ...more: string[]) => [
    '--strategy',
    `100=${strategy}`,
    '--audit',
    '1',
    ...more,
  ];
  beforeAll(async () => {
    pair = await Pair.build({ noDaemons: true, segments: [{ topology: 'routed' }] });
    await pair.publishLeases(routed(pair.host1), routed(pair.host2));
    await pair.publish(
      ...addressRecords(pair.guest2).map(
        ([key]) => [key, `${routed(pair.host2).mac} ${pair.host2.vtep}`] as const,
      ),
    );
    await pair.serve(pair.host2);
  });
  afterAll(() => close(pair));
  tellOnFailure(() => pair);

  // Each follows each.
  test('an established pair lives through every change of strategy', async () => {
    const { host1 } = pair;
    await livesThrough(pair, ['miss', 'preload', 'miss', 'routes', 'preload', 'routes', 'miss'], (strategy) =>
      becomes(host1, strategy === 'routes' ? ROUTES : []),
    );
  });

  test('one route, one neighbour and one FDB entry a host, kept in step with the leases', async () => {
    const { host1 } = pair;
    await host1.namespace.ip(['link', 'set', 'vxlan100', 'down'], ['link', 'set', 'vxlan100', 'up']);
    await pair.serve(host1, flags('routes'));
    await becomes(host1, ROUTES);
    const { segment } = host1;
    expect((await segment.neighbours()).map(({ ip }) => ip).sort()).toEqual(['10.20.2.0', 'fd20:0:0:2::']);
    expect(await segment.fdb()).toMatchObject([{ lladdr: routed(pair.host2).mac, vtep: pair.host2.vtep }]);

    // An operator's route stays, whatever lease there is; one that covers this host would swallow its own traffic.
    await host1.namespace.ip(['route', 'add', '10.20.9.0/24', 'dev', 'lo']);
    await lease('10.20.9.0/24', '02:f0:00:00:00:09 10.99.0.9');
    await lease('10.20.0.0/15', '02:f0:00:00:00:08 10.99.0.8');
    await lease('10.20.7.0/24', '02:f0:00:00:00:07 10.99.0.7');
    await becomes(host1, ['10.20.7.0/24 10.20.7.0 vxlan100 onlink', ...ROUTES].sort());
    const conflicts = async (reason: string) => pair.daemon.metric('missd_conflicts_total', { reason });
    expect(await conflicts('foreign_route')).toBeGreaterThan(0);
    expect(await conflicts('lease_covers_host')).toBeGreaterThan(0);

    // Moved, and gone again; and somebody takes a route of ours away.
    await lease('10.20.7.0/24', '02:f0:00:00:00:07 10.99.0.6');
    const behind = async () => (await segment.fdb()).find(({ lladdr }) => lladdr.endsWith(':07'))?.vtep;
    await until('the lease to have moved', async () => (await behind()) === '10.99.0.6');
    await pair.redis.cli('SREM', 'missd:{100}:subnets', '10.20.7.0/24', '10.20.9.0/24', '10.20.0.0/15');
    await host1.namespace.ip(['route', 'del', '10.20.2.0/24', 'proto', 77]);
    await becomes(host1, ROUTES);
    expect(await pair.daemon.metric('missd_entries', { table: 'route' })).toBe(2);
  });

  test('flush removes them, and only them', async () => {
    await pair.daemon.stop();
    const { stdout } = await pair.host1.namespace.attempt([process.execPath, MISSD, 'flush']);
    expect(stdout).toMatch(/2 routes removed/);
    await becomes(pair.host1, []);
    expect(await pair.host1.namespace.exec(['ip', 'route'])).toMatch(/10\.20\.9\.0\/24/);
    expect(await rowsOf(pair.host1.segment)).toEqual([]);
  });

  async function lease(cidr: string, value: string): Promise<void> {
    await pair.publish([`missd:{100}:subnet:${cidr}`, value]);
    await pair.redis.cli('SADD', 'missd:{100}:subnets', cidr);
  }
});

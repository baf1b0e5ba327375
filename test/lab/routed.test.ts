/** First-generation Flannel: each host routes the whole overlay through its VXLAN device, and leases name the hosts. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Host } from '../../src/lab/host.ts';
import type { Words } from '../../src/lab/namespace.ts';
import { RoutedSegment } from '../../src/lab/routed-segment.ts';
import type { Family } from '../../src/lab/underlay.ts';
import { until } from '../../src/lab/wait.ts';
import { BEFORE_THE_RETRY, Pair, booksBalance, close, counting, tellOnFailure } from './harness.ts';

const routed = ({ segment }: Host): RoutedSegment => {
  if (!(segment instanceof RoutedSegment)) throw new Error('not a routed segment');
  return segment;
};

/** The leases first: a daemon hears of new ones a moment later, and what is asked meanwhile is nobody's for a second. */
async function build(underlay: Family): Promise<Pair> {
  const pair = await Pair.build({ underlay, segments: [{ topology: 'routed' }], noDaemons: true });
  // A guest asks for its gateway, and a host for its guest, by themselves: that is not what is looked at here.
  for (const [index, guest] of [pair.guest1, pair.guest2].entries())
    for (const gateway of [`10.20.${index + 1}.254`, `fd20:0:0:${index + 1}::254`])
      expect((await guest.ping(gateway)).received).toBe(1);
  await pair.publishLeases(routed(pair.host1), routed(pair.host2));
  await Promise.all([pair.host1, pair.host2].map((host) => pair.serve(host, ['--audit', '3600'])));
  return pair;
}

/** How many solicitations the kernel sends to user space, as `sysctl` shows it. */
const appSolicit = async ({ namespace }: Host, device: string): Promise<string[]> =>
  (
    await namespace.exec(
      ['ipv4', 'ipv6'].reduce(
        (argv, family) => [...argv, `/proc/sys/net/${family}/neigh/${device}/app_solicit`],
        ['cat'],
      ),
    )
  )
    .trim()
    .split('\n');

describe.each(['ipv4', 'ipv6'] as const)('over %s', (underlay) => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await build(underlay);
  });
  afterAll(() => close(pair));
  tellOnFailure(() => pair);

  test.each(['10.20.2.2', 'fd20:0:0:2::2'])(
    'the first packet of a guest to %s waits in the kernel and arrives',
    async (ip) => {
      const { received, rtts } = await pair.guest1.ping(ip);
      expect(received).toBe(1);
      expect(rtts[0]).toBeLessThan(BEFORE_THE_RETRY);
      await booksBalance(pair.daemon);
    },
  );

  test('the first packets to many addresses of one lease at once all arrive, by one FDB entry', async () => {
    const many = Array.from({ length: 20 }, (_, index) => index + 100);
    const addresses = many.flatMap((n) => [`10.20.2.${n}`, `fd20:0:0:2::${n}`]);
    await pair.guest2.namespace.ip(
      ...addresses.map((ip): Words => [
        ...['address', 'add', ip.includes(':') ? `${ip}/64` : `${ip}/24`, 'dev', 'eth0'],
        ...(ip.includes(':') ? ['nodad'] : []),
      ]),
    );
    const pings = await Promise.all(addresses.map((ip) => pair.guest1.ping(ip)));
    expect(pings.filter(({ received }) => received === 0)).toEqual([]);
    const segment = routed(pair.host1);
    const held = (await segment.neighbours()).filter(({ protocol }) => protocol === 77);
    expect(held.map(({ ip }) => ip)).toEqual(expect.arrayContaining(addresses));
    expect(new Set(held.map(({ lladdr }) => lladdr))).toEqual(new Set([routed(pair.host2).mac]));
    const { mac } = routed(pair.host2);
    expect((await segment.fdb()).map(({ lladdr, vtep }) => [lladdr, vtep])).toEqual([[mac, pair.host2.vtep]]);
    await booksBalance(pair.daemon);
  });

  test('its lease is this host’s own: said, and no entry for it', async () => {
    const { daemon, host1 } = pair;
    await until('it to be said', () =>
      daemon.log.some((line) => line.includes("lease 10.20.1.0/24 is this host's own")),
    );
    expect((await routed(host1).neighbours()).filter(({ ip }) => ip.startsWith('10.20.1.'))).toEqual([]);
  });
});

describe('what the kernel is told', () => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await build('ipv4');
  });
  afterAll(() => close(pair));
  tellOnFailure(() => pair);

  test.each(['10.20.2.2', 'fd20:0:0:2::2'])('%s is solicited again in PROBE: answered', async (ip) => {
    const { daemon, guest1, host1, host2 } = pair;
    expect((await guest1.ping(ip)).received).toBe(1);
    const segment = routed(host1);
    const family = ip.includes(':') ? 'ipv6' : 'ipv4';
    await host1.namespace.sysctl({ [`net/${family}/neigh/${segment.device}/retrans_time_ms`]: 100 });
    const row = async () => (await segment.neighbours()).find((each) => each.ip === ip);
    const { since } = await counting(daemon, async () => {
      const probe = ['lladdr', routed(host2).mac, 'nud', 'probe', 'extern_learn', 'protocol', '77'];
      await host1.namespace.ip(['neigh', 'replace', ip, 'dev', segment.device, ...probe]);
      await until('the row to be as it was', async () => (await row())?.state === 'NOARP');
    });
    expect(since('missd_misses_total', { layer: 'l3' })).toBeGreaterThan(0);
    expect(await row()).toMatchObject({ lladdr: routed(host2).mac, externLearned: true, protocol: 77 });
    await booksBalance(daemon);
  });

  test('a device that comes later, and leaves its bridge: user space is asked from then on', async () => {
    const { daemon, host1 } = pair;
    await host1.namespace.ip(
      ['link', 'add', 'br9', 'type', 'bridge'],
      ['link', 'add', 'vx9', 'type', 'vxlan', 'id', 9, 'dstport', 4789, 'proxy', 'l2miss', 'l3miss'],
      ['link', 'set', 'vx9', 'master', 'br9'],
      ['link', 'set', 'vx9', 'up'],
    );
    await until('it to be served', async () => (await daemon.metric('missd_devices')) === 2);
    expect(await appSolicit(host1, 'vx9')).toEqual(['0', '0']);
    await host1.namespace.ip(['link', 'set', 'vx9', 'nomaster']);
    await until('app_solicit to be set', async () => (await appSolicit(host1, 'vx9')).join() === '3,3');
    expect(
      daemon.log.filter((line) => line.includes('vx9') && line.includes('set app_solicit 3')),
    ).toHaveLength(2);
  });
});

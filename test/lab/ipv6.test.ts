/** IPv6 below and above: VTEPs of either family, records of the wrong one, and a default route through the tunnel. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Guest } from '../../src/lab/guest.ts';
import { ipKey } from '../../src/lab/records.ts';
import { until } from '../../src/lab/wait.ts';
import { Pair, ask, booksBalance, close, counting, tellOnFailure } from './harness.ts';

let pair: Pair;
tellOnFailure(() => pair);

const linkLocal = async (guest: Guest): Promise<string> =>
  Object.keys(await guest.addressStates()).find((ip) => ip.startsWith('fe80')) ?? '';

describe.each([
  ['ipv4', 'fd99::2'],
  ['ipv6', '10.99.0.2'],
] as const)('over %s', (underlay, otherFamily) => {
  beforeAll(async () => {
    pair = await Pair.build({ underlay });
    await pair.publishGuests(pair.guest1, pair.guest2);
  });
  afterAll(() => close(pair));

  test('a record whose VTEP is of the other family is counted and explained, and harms nothing', async () => {
    const { daemon, guest1, guest2, host1 } = pair;
    await pair.publish(
      [ipKey(100, '20.0.0.60'), `02:42:14:00:00:3c ${otherFamily}`],
      // The same guest, by its other address: what one record gets wrong does not touch the other's entries.
      [ipKey(100, '20.0.0.61'), `${guest2.mac} ${otherFamily}`],
    );
    expect((await guest1.ping('20.0.0.2')).received).toBe(1);
    const { since } = await counting(daemon, () => ask(daemon, guest1, '20.0.0.60', 2));
    expect(since('missd_directory_malformed_records_total', { reason: 'vtep_family' })).toBe(2);
    expect(since('missd_resolutions_total', { layer: 'l3', outcome: 'unknown' })).toBe(2);
    expect(daemon.log.join('\n')).toMatch(/malformed record \(vtep_family\).*20\.0\.0\.6/);
    const rows = await host1.segment.neighbours();
    expect(rows.filter(({ protocol }) => protocol === 77).map(({ ip }) => ip)).toEqual(['20.0.0.2']);
    expect((await guest1.ping('fd20::2', { count: 3 })).received).toBe(3);
    for (const each of pair.daemons) await booksBalance(each);
  });

  test('a default route learned from a router on the other host stays through cycles of reachability', async () => {
    const { guest1, guest2, host2 } = pair;
    const [guest, router] = [await linkLocal(guest1), await linkLocal(guest2)];
    const elsewhere = '2001:db8:ffff::1';
    await pair.publish(
      [ipKey(100, guest), `${guest1.mac} ${pair.host1.vtep}`],
      [ipKey(100, router), `${guest2.mac} ${host2.vtep} router`],
    );
    await guest2.namespace.sysctl({ 'net/ipv6/conf/all/forwarding': 1 });
    await guest2.namespace.ip(['address', 'add', `${elsewhere}/128`, 'dev', 'lo']);
    // A cycle takes two seconds instead of forty.
    await guest1.namespace.sysctl({
      'net/ipv6/neigh/eth0/base_reachable_time_ms': 500,
      'net/ipv6/neigh/eth0/delay_first_probe_time': 1,
    });
    const script = new URL('router-advertisement.py', import.meta.url).pathname;
    await guest2.namespace.exec(['python3', script, guest]);
    const defaults = async (): Promise<unknown[]> =>
      (await guest1.namespace.show('-6', 'route', 'show', 'default')).map((route) => route['gateway']);
    await until('the route', async () => (await defaults()).includes(router));

    // A ping of its own each time: one that goes on vouches for the neighbour itself, and nothing would be probed.
    const states: string[] = [];
    let [sent, received, confirmed] = [0, 0, 0];
    while (confirmed < 3) {
      const pinged = await guest1.ping(elsewhere);
      [sent, received] = [sent + pinged.sent, received + pinged.received];
      const row = (await guest1.namespace.neighbours('eth0')).find(({ ip }) => ip === router);
      if (row !== undefined && row.state !== states.at(-1)) states.push(row.state);
      confirmed = states.filter((state, at) => at > 0 && state === 'REACHABLE').length;
    }
    expect(received).toBe(sent);
    expect(await defaults()).toEqual([router]);
  });
});

describe('a device that was given no address of its own', () => {
  beforeAll(async () => {
    pair = await Pair.build({ underlay: 'ipv6', noDaemons: true });
    await pair.publishGuests(pair.guest1, pair.guest2);
    for (const host of [pair.host1, pair.host2]) {
      const { device, bridge, mtu, namespace } = host.segment;
      await namespace.ip(['link', 'delete', device]);
      const flags = ['nolearning', 'proxy', 'l2miss', 'l3miss'];
      const vxlan = ['type', 'vxlan', 'id', '100', 'dstport', '4789', 'dev', 'eth0', ...flags];
      await namespace.exec(['ip', '-6', 'link', 'add', device, 'mtu', String(mtu), ...vxlan]);
      await namespace.ip(['link', 'set', device, 'master', bridge, 'up']);
      await pair.serve(host);
    }
  });
  afterAll(() => close(pair));

  test('is one of IPv6 where it was made so: its guests reach each other, and no IPv4 VTEP is believed', async () => {
    const { daemon, guest1, guest2, host1 } = pair;
    const [link] = await host1.namespace.show('link', 'show', 'vxlan100');
    expect(link?.['linkinfo']).not.toMatchObject({ info_data: { local6: expect.anything() as unknown } });
    for (const ip of [guest2.ip4, guest2.ip6]) expect((await guest1.ping(ip ?? '')).received).toBe(1);
    const reason = { reason: 'vtep_family' };
    expect(await daemon.metric('missd_directory_malformed_records_total', reason)).toBe(0);
    await pair.publish([ipKey(100, '20.0.0.60'), '02:42:14:00:00:3c 10.99.0.2']);
    await ask(daemon, guest1, '20.0.0.60');
    expect(await daemon.metric('missd_directory_malformed_records_total', reason)).toBe(1);
    // What found it out has left nothing behind.
    expect((await host1.segment.fdb()).map(({ lladdr }) => lladdr)).toEqual([guest2.mac]);
  });
});

/** A guest that broadcasts without measure: other hosts get a limited number of copies, and other guests go on. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { guestIp4, macOf } from '../../src/lab/address.ts';
import type { Guest } from '../../src/lab/guest.ts';
import { ipKey } from '../../src/lab/records.ts';
import { until } from '../../src/lab/wait.ts';
import { askDhcp, serveDhcp } from './dhcp.ts';
import { BEFORE_THE_RETRY, Pair, close, tellOnFailure } from './harness.ts';
import { UnderlayTap } from './underlay-tap.ts';

const RATE = 40;
const PORT_RATE = 10;
const FLAGS = ['--broadcast', '100', '--broadcast-rate', String(RATE)];
const MORE_PORTS = [61, 62, 63, 64, 65, 66, 67];

let pair: Pair;
let hostile: Guest;
let tap: UnderlayTap;
beforeAll(async () => {
  pair = await Pair.build({ flags: FLAGS });
  hostile = await pair.host1.addGuest({ n: 3, ip4: null, ip6: null, dad: false, also: MORE_PORTS });
  await pair.publishGuests(pair.guest1, pair.guest2);
  tap = await UnderlayTap.start(pair.lab.underlay);
  await copied();
});
afterAll(() => close(pair));
tellOnFailure(() => pair);

const copies = async (): Promise<number> => (await tap.seen()).experiment;
const dropped = (): Promise<number> => pair.daemon.metric('missd_broadcasts_dropped_total');
const table = async (): Promise<string> =>
  (await pair.host1.namespace.attempt(['nft', 'list', 'table', 'bridge', 'missd_broadcast'])).stdout;
const flooder = (count: number, devices: readonly string[]): string[] => [
  ...['python3', new URL('broadcast-flood.py', import.meta.url).pathname],
  ...[String(count), ...devices],
];

/** Waits until broadcasts are copied to the other host and the first ones were. */
const copied = (): Promise<unknown> =>
  until(
    'broadcasts to be copied',
    async () => {
      await hostile.namespace.exec(flooder(1, ['eth0']));
      return (await copies()) > 0;
    },
    { every: 1_500 },
  );

/** @returns copies of so many broadcasts, and the seconds it took at most */
async function flood(
  count: number,
  devices: readonly string[],
): Promise<{ arrived: number; seconds: number }> {
  const [began, copiesBefore, droppedBefore] = [performance.now(), await copies(), await dropped()];
  await hostile.namespace.exec(flooder(count, devices));
  const arrived = (await copies()) - copiesBefore;
  // None is lost on the way, and none is counted twice.
  expect((await dropped()) - droppedBefore).toBe(count - arrived);
  return { arrived, seconds: (performance.now() - began) / 1000 };
}

test('one port gets a quarter of the rate, all ports together the whole', async () => {
  const one = await flood(3_000, ['eth0']);
  expect(one.arrived).toBeGreaterThan(0);
  expect(one.arrived).toBeLessThanOrEqual(PORT_RATE * (one.seconds + 1) + 1);
  const many = await flood(
    3_000,
    MORE_PORTS.map((n) => `eth${n}`),
  );
  expect(many.arrived).toBeGreaterThan(2 * PORT_RATE);
  expect(many.arrived).toBeLessThanOrEqual(RATE * (many.seconds + 1) + 1);
  expect(await pair.daemon.metric('missd_broadcast_unlimited')).toBe(0);
});

test('meanwhile another guest has its ARP answered, and gets an address by DHCP from another host', async () => {
  const { guest1, guest2, host1, lab } = pair;
  const flooding = await lab.start(hostile.namespace.inside(flooder(0, ['eth0'])));
  const before = await dropped();
  await until('the flood to be felt', async () => (await dropped()) > before + 1_000);
  const pinged = await guest1.ping('20.0.0.2');
  expect(pinged.received).toBe(1);
  expect(pinged.rtts[0]).toBeLessThan(BEFORE_THE_RETRY);
  const client = await host1.addGuest({ n: 50, ip4: null, ip6: null, mac: macOf('20.0.0.50'), dad: false });
  await pair.publish([ipKey(100, guestIp4(50)), `${client.mac} ${host1.vtep}`]);
  const server = await serveDhcp(lab, guest2, '20.0.0.50');
  await askDhcp(lab, client);
  expect((await client.ping('20.0.0.2')).received).toBe(1);
  expect(flooding.end).toBeUndefined();
  await flooding.stop();
  await server.stop();
});

test('a flood of ARP is no broadcast: it ends in the device and takes nobody’s share', async () => {
  expect(await table()).toContain('ether type arp accept');
  const before = await dropped();
  const script = new URL('arp-burst.py', import.meta.url).pathname;
  const words = ['eth0', hostile.mac, '0.0.0.0', '20.0.0.200', '500', '1'];
  await hostile.namespace.exec(['python3', script, ...words]);
  expect(await dropped()).toBe(before);
});

test('the table that somebody flushed comes back, and what was counted is not forgotten', async () => {
  const before = await dropped();
  await pair.host1.namespace.exec(['nft', 'flush', 'ruleset']);
  expect(await dropped()).toBe(before);
  await until('the table to be back', async () => (await table()) !== '', { timeout: 30_000 });
  const { arrived } = await flood(500, ['eth0']);
  expect(arrived).toBeLessThan(500);
  expect(await dropped()).toBe(before + 500 - arrived);
});

test('it goes with the daemon; after a kill with the successor', async () => {
  await pair.daemon.stop();
  expect(await table()).toBe('');
  await pair.serve(pair.host1, FLAGS);
  await until('the table', async () => (await table()) !== '');
  await pair.daemon.kill();
  expect(await table()).not.toBe('');
  await pair.serve(pair.host1);
  await until('the leftover to go', async () => (await table()) === '', { timeout: 30_000 });
});

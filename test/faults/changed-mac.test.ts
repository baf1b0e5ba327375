/**
 * An address gets another MAC while this host holds no entry for it, or another one: guests that know the old MAC are told.
 * Left to themselves they would send to it for 19 to 46 seconds.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { guestIp4, guestIp6, macOf } from '../../src/lab/address.ts';
import type { Guest } from '../../src/lab/guest.ts';
import { ipKey } from '../../src/lab/records.ts';
import { until } from '../../src/lab/wait.ts';
import { Pair, close, tellOnFailure } from '../lab/harness.ts';

/** One second is the aim; what a guest takes by itself is longer than this. */
const TOLD = 10_000;

let pair: Pair;
let local: Guest;
let changes = 0;
beforeAll(async () => {
  // Entries go as idle all the time; the tests that want one make it.
  pair = await Pair.build({ noDaemons: true });
  await pair.serve(pair.host1, ['--idle', '2', '--audit', '1']);
  await pair.serve(pair.host2);
  local = await pair.host1.addGuest({ n: 3, dad: false });
  await pair.publishGuests(pair.guest1, pair.guest2, local);
});
afterAll(() => close(pair));
tellOnFailure(() => pair);

/** What guest 1 has in its own table. */
async function known(ip: string): Promise<string | undefined> {
  const [row] = await pair.guest1.namespace.show('neigh', 'show', 'to', ip, 'dev', 'eth0');
  return row?.['lladdr'] as string | undefined;
}

const held = async (ip: string): Promise<boolean> =>
  (await pair.host1.segment.neighbours()).some((row) => row.ip === ip);

/** Guest 2 with another MAC, as a container that was made again. @returns the MAC */
async function another(): Promise<string> {
  const mac = `02:42:14:00:aa:${(++changes + 16).toString(16)}`;
  await pair.guest2.namespace.ip(['link', 'set', 'eth0', 'address', mac]);
  return mac;
}

/** Both addresses of guest 2. */
const record = (mac: string): Promise<void> =>
  pair.publish(
    ...[guestIp4(2), guestIp6(2)].map((ip) => [ipKey(100, ip), `${mac} ${pair.host2.vtep}`] as const),
  );

async function told(ip: string, mac: string): Promise<void> {
  await until(`guest 1 to know ${mac} for ${ip}`, async () => (await known(ip)) === mac, { timeout: TOLD });
  // The first packet to the new MAC raises the L2 miss that brings its entry.
  expect((await pair.guest1.ping(ip, { count: 5 })).received).toBeGreaterThan(0);
}

describe.each([
  ['IPv4', guestIp4],
  ['IPv6', guestIp6],
])('%s: an address of another host', (_, of) => {
  const ip = of(2);

  test('that was deleted, and comes with another MAC', async () => {
    expect((await pair.guest1.ping(ip, { count: 3 })).received).toBeGreaterThan(0);
    await pair.redis.cli('DEL', ipKey(100, ip));
    await until('the entry to go', async () => !(await held(ip)));
    const mac = await another();
    await record(mac);
    await told(ip, mac);
  });

  test('whose entry went as idle', async () => {
    expect((await pair.guest1.ping(ip, { count: 3 })).received).toBeGreaterThan(0);
    await until('the entry to go', async () => !(await held(ip)), { timeout: 20_000 });
    const mac = await another();
    await record(mac);
    await told(ip, mac);
  });

  test('whose device went down and up', async () => {
    expect((await pair.guest1.ping(ip, { count: 3 })).received).toBeGreaterThan(0);
    const { namespace, segment } = pair.host1;
    await namespace.ip(['link', 'set', segment.device, 'down'], ['link', 'set', segment.device, 'up']);
    const mac = await another();
    await record(mac);
    await told(ip, mac);
  });

  test('that a guest here had before', async () => {
    const address = of(30);
    const [prefix, nodad] = ip.includes(':') ? ['/64', ['nodad']] : ['/24', []];
    await local.namespace.ip(['address', 'add', `${address}${prefix}`, 'dev', 'eth0', ...nodad]);
    await pair.publish([ipKey(100, address), `${local.mac} ${pair.host1.vtep}`]);
    expect((await pair.guest1.ping(address)).received).toBe(1);
    await local.namespace.ip(['address', 'del', `${address}${prefix}`, 'dev', 'eth0']);
    const mac = macOf(guestIp4(40));
    await pair.publish([ipKey(100, address), `${mac} ${pair.host2.vtep}`]);
    await until('guest 1 to be told', async () => (await known(address)) === mac, { timeout: TOLD });
  });

  test('that the host itself had before', async () => {
    const address = of(31);
    const [prefix, nodad] = ip.includes(':') ? ['/64', ['nodad']] : ['/24', []];
    const { namespace, segment } = pair.host1;
    const own = ['address', 'add', `${address}${prefix}`, 'dev', segment.bridge];
    await namespace.ip([...own, ...nodad]);
    expect((await pair.guest1.ping(address)).received).toBe(1);
    // The record comes first, and counts from when the host lets go of the address.
    const mac = macOf(guestIp4(41));
    await pair.publish([ipKey(100, address), `${mac} ${pair.host2.vtep}`]);
    await namespace.ip(own.map((word) => (word === 'add' ? 'del' : word)));
    await until('guest 1 to be told', async () => (await known(address)) === mac, { timeout: TOLD });
  });
});

test('a record that is new is told to nobody', async () => {
  const before = (await pair.daemon.metrics()).sum('missd_announcements_total');
  await pair.publish(
    ...Array.from(
      { length: 50 },
      (_, n) => [ipKey(100, guestIp4(60 + n)), `${macOf(guestIp4(60 + n))} ${pair.host2.vtep}`] as const,
    ),
  );
  // Word of this one comes behind those, and it is told.
  const mac = await another();
  await record(mac);
  await told(guestIp4(2), mac);
  const after = (await pair.daemon.metrics()).sum('missd_announcements_total');
  expect(after - before).toBeLessThan(10);
});

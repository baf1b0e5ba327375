import { afterAll, beforeAll, expect, test } from 'vitest';
import { addressRecords, ipKey } from '../../src/lab/records.ts';
import { macOf } from '../../src/lab/address.ts';
import { Pair, ask, booksBalance, close, counting, tellOnFailure } from './harness.ts';

/** What lives on this host must never be written or announced by it, whatever the directory says. */
let pair: Pair;
const gatewayMac = ['02:f0:00:00:00:01', '02:f0:00:00:00:02'] as const;
beforeAll(async () => {
  pair = await Pair.build({ segments: [{ gateway: ['20.0.0.254/24', 'fd20::254/64'] }] });
  for (const [index, host] of [pair.host1, pair.host2].entries()) {
    await host.namespace.ip(['link', 'set', 'br0', 'address', gatewayMac[index] ?? '']);
  }
  await pair.publishGuests(pair.guest1, pair.guest2);
  await pair.publish(
    [ipKey(100, '20.0.0.254'), `${gatewayMac[1]} ${pair.host2.vtep}`],
    [ipKey(100, 'fd20::254'), `${gatewayMac[1]} ${pair.host2.vtep}`],
  );
});
afterAll(() => close(pair));
tellOnFailure(() => pair);

const written = async () => [
  ...(await pair.host1.segment.neighbours()).map((row) => row.ip),
  ...(await pair.host1.segment.fdb()).map((row) => row.lladdr),
];

test.each(['20.0.0.254', 'fd20::254'])('a guest keeps its own gateway %s, record or not', async (gateway) => {
  const { done, since } = await counting(pair.daemon, async () => {
    const pinged = await pair.guest1.ping(gateway, { count: 5, interval: 0.2 });
    await booksBalance(pair.daemon);
    return pinged;
  });
  expect(done.received).toBe(5);
  // Without a miss there would have been nothing to refuse.
  expect(since('missd_resolutions_total', { layer: 'l3', outcome: 'local' })).toBeGreaterThanOrEqual(1);
  const known = await pair.guest1.namespace.neighbours('eth0');
  expect(known.find((row) => row.ip === gateway)?.lladdr).toBe(gatewayMac[0]);
  expect(await written()).not.toContain(gateway);
  expect(await written()).not.toContain(gatewayMac[1]);
});

test('a guest passes duplicate address detection while its records are in the directory', async () => {
  const mac = macOf('20.0.0.3');
  await pair.publish(
    [ipKey(100, '20.0.0.3'), `${mac} ${pair.host1.vtep}`],
    [ipKey(100, 'fd20::3'), `${mac} ${pair.host1.vtep}`],
  );
  const { done: guest, since } = await counting(pair.daemon, async () => {
    const made = await pair.host1.addGuest({ n: 3 });
    await made.settled();
    return made;
  });
  expect(Object.values(await guest.addressStates())).not.toContain('dadfailed');
  expect((await guest.addressStates())['fd20::3']).toBe('ok');
  // The solicitation did reach the daemon, and it knew better than to answer.
  expect(since('missd_resolutions_total', { layer: 'l3', outcome: 'local' })).toBeGreaterThanOrEqual(1);
  expect(await written()).not.toContain('fd20::3');
  expect((await pair.guest2.ping('fd20::3')).received).toBe(1);
});

test('duplicate address detection is nobody’s question to answer with an announcement', async () => {
  // The record says that host 2 has the address. Telling the guest would make it give the address up.
  await pair.publish([ipKey(100, 'fd20::222'), `${macOf('20.0.0.222')} ${pair.host2.vtep}`]);
  const { done: guest, since } = await counting(pair.daemon, async () => {
    const made = await pair.host1.addGuest({ n: 4, ip4: null, ip6: 'fd20::222/64' });
    await made.settled();
    await booksBalance(pair.daemon);
    return made;
  });
  expect((await guest.addressStates())['fd20::222']).toBe('ok');
  expect(since('missd_resolutions_total', { layer: 'l3', outcome: 'resolved' })).toBe(1);
  // Not even tried: whatever was not withheld for this reason would show here.
  expect(since('missd_announcements_total')).toBe(since('missd_announcements_total', { outcome: 'dad' }));
});

test('a record that names this host is not written, whether its guest was ever heard or not', async () => {
  await pair.publish([ipKey(100, '20.0.0.7'), `${macOf('20.0.0.7')} ${pair.host1.vtep}`]);
  const { since } = await counting(pair.daemon, () => ask(pair.daemon, pair.guest1, '20.0.0.7'));
  expect(since('missd_resolutions_total', { layer: 'l3', outcome: 'local' })).toBe(1);
  expect(await written()).not.toContain('20.0.0.7');
  expect(await written()).not.toContain(macOf('20.0.0.7'));
});

test('a MAC that the bridge knows on another port is not put behind another host', async () => {
  const local = await pair.host1.addGuest({ n: 5, dad: false });
  // The bridge learns it from its first frame.
  expect((await local.ping('20.0.0.254')).received).toBe(1);
  const claimed = addressRecords(local).map(([key]) => [key, `${local.mac} ${pair.host2.vtep}`] as const);
  await pair.publish(...claimed);
  const { since } = await counting(pair.daemon, () => ask(pair.daemon, pair.guest1, '20.0.0.5'));
  expect((await pair.guest1.ping('20.0.0.5')).received).toBe(1);
  expect(since('missd_resolutions_total', { layer: 'l3', outcome: 'local' })).toBeGreaterThanOrEqual(1);
  expect(await written()).not.toContain('20.0.0.5');
  expect(await written()).not.toContain(local.mac);
});

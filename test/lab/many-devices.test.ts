/**
 * 200 tenants on one host, each with a VXLAN device of its own and all with the same addresses: four overlay
 * namespaces of fifty devices, one missd.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Daemon } from '../../src/lab/daemon.ts';
import type { Host } from '../../src/lab/host.ts';
import { Lab } from '../../src/lab/lab.ts';
import { type Namespace, type Words, ip } from '../../src/lab/namespace.ts';
import { type Entry, ipKey } from '../../src/lab/records.ts';
import { RedisServer } from '../../src/lab/redis-server.ts';
import { until } from '../../src/lab/wait.ts';
import { booksBalance } from './harness.ts';

const NAMESPACES = [0, 1, 2, 3];
const DEVICES = 50;
/** Addresses asked for in each VNI, from 20.0.0.1 on. */
const ADDRESSES = 20;

/** VNIs of namespace `n`; a device is named by its VNI. */
const vnisOf = (n: number): number[] => Array.from({ length: DEVICES }, (_, index) => 1000 * (n + 1) + index);
const addresses = Array.from({ length: ADDRESSES }, (_, index) => `20.0.0.${index + 1}`);
/** The same address is another endpoint in each VNI, behind another host. */
const endpoint = (vni: number, address: string): { mac: string; vtep: string } => ({
  mac: `02:00:${hex(vni >> 8)}:${hex(vni)}:00:${hex(Number(address.split('.')[3]))}`,
  vtep: `10.99.${vni >> 8}.${vni & 255}`,
});
const hex = (byte: number): string => (byte & 255).toString(16).padStart(2, '0');

let lab: Lab;
let host: Host;
let daemon: Daemon;
/** Where the devices are, and where the far ends of their guests' ports are. */
const overlays: Namespace[] = [];
const guests: Namespace[] = [];

async function addNamespace(n: number): Promise<void> {
  const [overlay, guest] = [overlays[n], guests[n]];
  if (overlay === undefined || guest === undefined) throw new RangeError(`no namespace ${n}`);
  await ip(host.namespace.record, ['netns', 'add', overlay.name], ['netns', 'add', guest.name]);
  for (const one of [overlay, guest]) await one.sysctl({ 'net/ipv6/conf/default/disable_ipv6': 1 });
  await host.namespace.ip(...vnisOf(n).map((vni) => device(vni, overlay)));
  await overlay.ip(...vnisOf(n).flatMap((vni) => plugged(vni, guest)));
  await guest.ip(...vnisOf(n).map((vni): Words => ['link', 'set', `g${vni}`, 'up']));
}

const device = (vni: number, overlay: Namespace): Words => [
  ...['link', 'add', `vx${vni}`, 'netns', overlay.name, 'type', 'vxlan', 'id', vni, 'dstport', 4789],
  ...['local', host.vtep, 'nolearning', 'proxy', 'l2miss', 'l3miss'],
];

const plugged = (vni: number, guest: Namespace): Words[] => [
  ['link', 'add', `br${vni}`, 'type', 'bridge'],
  ['link', 'set', `br${vni}`, 'up'],
  ['link', 'set', `vx${vni}`, 'master', `br${vni}`, 'up'],
  ['link', 'add', `p${vni}`, 'type', 'veth', 'peer', 'name', `g${vni}`, 'netns', guest.name],
  ['link', 'set', `p${vni}`, 'master', `br${vni}`, 'up'],
];

/** `VNI ADDRESS MAC` of every row of missd's in a namespace. */
async function rows(n: number): Promise<string[]> {
  const text = await overlays[n]?.exec(['ip', '-j', 'neigh', 'show', 'nud', 'noarp', 'proto', '77']);
  const found = JSON.parse(text ?? '[]') as { dst: string; dev: string; lladdr: string }[];
  return found.map(({ dst, dev, lladdr }) => `${dev.slice(2)} ${dst} ${lladdr}`).sort();
}

const expectedRows = (n: number): string[] =>
  vnisOf(n)
    .flatMap((vni) => addresses.map((address) => `${vni} ${address} ${endpoint(vni, address).mac}`))
    .sort();

const devices = (): Promise<number> => daemon.metric('missd_devices');
const served = (count: number): Promise<unknown> =>
  until(`${count} devices to be served`, async () => (await devices()) === count, { timeout: 60_000 });

/** Every guest asks for every address. */
async function everybodyAsks(): Promise<void> {
  const script = new URL('arp-everywhere.py', import.meta.url).pathname;
  await Promise.all(guests.map((guest) => guest.exec(['python3', script, '20.0.0.1', String(ADDRESSES)])));
}

beforeAll(async () => {
  lab = await Lab.open();
  host = await lab.addBareHost();
  for (const n of NAMESPACES) {
    overlays.push(host.name(`o${n}`));
    guests.push(host.name(`g${n}`));
  }
  const redis = await RedisServer.start(lab);
  const records = NAMESPACES.flatMap(vnisOf).flatMap((vni) =>
    addresses.map((address): Entry => {
      const { mac, vtep } = endpoint(vni, address);
      return [ipKey(vni, address), `${mac} ${vtep}`];
    }),
  );
  await redis.commands(records.map(([key, value]) => `SET "${key}" "${value}"`));
  await addNamespace(0);
  daemon = await Daemon.start(lab, {
    netns: overlays.map(({ name }) => name),
    redis: redis.socket,
    flags: ['--audit', '3600'],
  });
});
afterAll(() => lab.close());

test('devices appear by the hundred while the daemon runs, and all are served', async () => {
  await daemon.alive();
  await served(DEVICES);
  for (const n of NAMESPACES.slice(1)) await addNamespace(n);
  await served(DEVICES * NAMESPACES.length);
  await daemon.ready();
});

test('thousands of misses from all of them at once: each address is the one of its own VNI', async () => {
  await everybodyAsks();
  const all = NAMESPACES.length * DEVICES * ADDRESSES;
  await until(
    'all to be answered',
    async () => (await daemon.metric('missd_resolutions_total', { outcome: 'resolved' })) >= all,
    { timeout: 60_000 },
  );
  for (const n of NAMESPACES) expect(await rows(n)).toEqual(expectedRows(n));
  for (const n of NAMESPACES) {
    const text = await overlays[n]?.exec(['bridge', '-j', 'fdb', 'show']);
    const fdb = JSON.parse(text ?? '[]') as { mac: string; ifname: string; dst?: string }[];
    const far = fdb.filter(({ dst }) => dst !== undefined);
    expect(far).toHaveLength(DEVICES * ADDRESSES);
    for (const { ifname, dst } of far) expect(dst).toBe(endpoint(Number(ifname.slice(2)), '20.0.0.1').vtep);
  }
  await booksBalance(daemon);
  expect(await daemon.metric('missd_netlink_overruns_total')).toBe(0);
});

test('a scrape of all of them is small, and takes no second', async () => {
  const started = performance.now();
  const text = (await daemon.get('/metrics'))?.body ?? '';
  // The aim is 100 ms.
  expect(performance.now() - started).toBeLessThan(1_000);
  expect(text.match(/^missd_device_up\{/gm)).toHaveLength(DEVICES * NAMESPACES.length);
  expect(text.length).toBeLessThan(1_000_000);
});

test('they vanish, one by one and with their namespace, and what they held with them', async () => {
  const some = vnisOf(1).slice(0, 10);
  await overlays[1]?.ip(...some.map((vni): Words => ['link', 'del', `vx${vni}`]));
  await served(190);
  const [gone] = overlays;
  if (gone !== undefined) await lab.deleteNamespace(gone);
  await served(140);
  expect(await daemon.metric('missd_entries', { table: 'neighbour' })).toBe(140 * ADDRESSES);
  // Only the far ends of a namespace that has really gone vanish.
  await until('the namespace to be released', async () => (await guests[0]?.show('link'))?.length === 1);
  await booksBalance(daemon);
});

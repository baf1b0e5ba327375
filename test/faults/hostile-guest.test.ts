/** A guest that claims what is not its own. Others go on without a lost packet, and the log names port and MAC. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../src/lab/wait.ts';
import { JoinLab, PlainGuest, tellOnFailure } from '../lab/joining.ts';
import { Place, gratuitous } from './places.ts';
import { Traffic } from './traffic.ts';

const VNI = 100;
const BRIDGE = 'br-blue';
const PORTS_LIMIT = 16;
const GATEWAY = '20.0.255.254';
const VICTIM = { mac: '02:97:00:00:00:09', ip: '20.0.0.9' };
const HOSTILE = { mac: '02:97:00:00:00:66', ip: '20.0.0.66' };

let lab: JoinLab;
let asking: PlainGuest;
let victim: Place;
let hostile: Place;
let beside: Place;
let vteps: string[];

beforeAll(async () => {
  lab = await JoinLab.open(3);
  const more = { subnet: '20.0.0.0/16', gateway: GATEWAY, portsLimit: PORTS_LIMIT, publish: 'learned' };
  await lab.network('blue', VNI, more);
  for (const n of [1, 2, 3]) await lab.run(n, ['blue']);
  vteps = await Promise.all([1, 2, 3].map(async (n) => (await lab.untilState(n, 'joined')).vtep ?? ''));
  asking = await PlainGuest.plug(lab.host(1), BRIDGE, 1, '20.0.0.1/16');
  victim = await Place.make(lab.host(2), BRIDGE, 2);
  hostile = await Place.make(lab.host(3), BRIDGE, 3);
  beside = await Place.make(lab.host(3), BRIDGE, 4);
  await victim.take(VICTIM.mac, VICTIM.ip, 'arp');
  await hostile.take(HOSTILE.mac, HOSTILE.ip, 'arp');
  await recorded(VICTIM.ip, VICTIM.mac, 2);
  await recorded(HOSTILE.ip, HOSTILE.mac, 3);
});
afterAll(async () => {
  for (const place of [victim, hostile, beside]) await place.close();
  await lab.close();
});
tellOnFailure(() => lab);

const record = (ip: string): Promise<string> => lab.redis.cli('GET', `missd:{${VNI}}:ip:${ip}`);
const recorded = (ip: string, mac: string, host: number): Promise<unknown> =>
  until(`${ip} to be on host ${host}`, async () => (await record(ip)) === `${mac} ${vteps[host - 1] ?? ''}`, {
    every: 20,
  });
const said = (n: number, ...words: string[]): Promise<unknown> =>
  until(`host ${n} to say ${words.join(', ')}`, () =>
    Promise.resolve(lab.daemon(n).log.some((line) => words.every((word) => line.includes(word)))),
  );
/** Addresses that records give to a MAC. */
async function addressesOf(mac: string): Promise<number> {
  const keys = (await lab.redis.cli('KEYS', `missd:{${VNI}}:ip:*`)).split('\n').filter((key) => key !== '');
  const values = keys.length === 0 ? '' : await lab.redis.cli('MGET', ...keys);
  return values.split('\n').filter((value) => value.startsWith(mac)).length;
}

test('that claims the address of another is refused while the owner answers, and both hosts say so', async () => {
  const traffic = await Traffic.start(lab.lab, asking.namespace, VICTIM.ip);
  await hostile.send(gratuitous(HOSTILE.mac, VICTIM.ip), 100, 0.02);
  await said(2, VICTIM.ip, VICTIM.mac, HOSTILE.mac, vteps[2] ?? '');
  await said(3, VICTIM.ip, VICTIM.mac, HOSTILE.mac, vteps[1] ?? '');
  expect((await traffic.stop()).lost).toBe(0);
  expect(await record(VICTIM.ip)).toBe(`${VICTIM.mac} ${vteps[1] ?? ''}`);
});

test('that forges MAC and IP together interrupts five times at most, and never after that', async () => {
  const attack = hostile.send(gratuitous(VICTIM.mac, VICTIM.ip), 150, 0.1);
  const during = await Traffic.start(lab.lab, asking.namespace, VICTIM.ip);
  await said(3, VICTIM.mac, 'moved more than five times');
  const { lost } = await during.stop();
  expect(lost).toBeLessThanOrEqual(5 * 100);
  const after = await Traffic.start(lab.lab, asking.namespace, VICTIM.ip);
  await after.for(4_000);
  expect((await after.stop()).lost).toBe(0);
  await recorded(VICTIM.ip, VICTIM.mac, 2);
  await attack;
  await recorded(VICTIM.ip, VICTIM.mac, 2);
});

test('that claims the gateway is named, and the gateway has no record', async () => {
  await hostile.send(gratuitous(HOSTILE.mac, GATEWAY), 5, 0.01);
  await said(3, 'claims the gateway', hostile.port, HOSTILE.mac);
  expect(await record(GATEWAY)).toBe('');
});

test('with thousands of addresses gets those that its port may have; its neighbour is published meanwhile', async () => {
  const traffic = await Traffic.start(lab.lab, asking.namespace, VICTIM.ip);
  const script = new URL('../lab/send-frames.py', import.meta.url).pathname;
  const frame = gratuitous(HOSTILE.mac, '20.0.16.0');
  const flood = await lab.lab.start(
    hostile.namespace.inside(['sh', '-c', `while :; do python3 ${script} eth0 ${frame} 5000; done`]),
  );
  await said(3, 'ports-limit', hostile.port, HOSTILE.mac);
  await beside.take('02:97:00:00:00:77', '20.0.0.77', 'arp');
  await recorded('20.0.0.77', '02:97:00:00:00:77', 3);
  await traffic.for(2_000);
  expect(await addressesOf(HOSTILE.mac)).toBeLessThanOrEqual(PORTS_LIMIT);
  expect((await traffic.stop()).lost).toBe(0);
  await flood.stop();
  expect(await lab.daemon(3).get('/readyz')).toMatchObject({ status: 200 });
});

test('with thousands of MACs gets those that its port may have, and others go on', async () => {
  const traffic = await Traffic.start(lab.lab, asking.namespace, VICTIM.ip);
  const script = new URL('mac-flood.py', import.meta.url).pathname;
  const refused = (): Promise<number> => lab.daemon(3).metric('missd_guest_addresses_refused_total');
  const before = await refused();
  await hostile.namespace.exec(['python3', script, '50000']);
  await until('MACs to be refused', async () => (await refused()) > before + 1_000);
  await beside.take('02:97:00:00:00:7a', '20.0.0.122', 'arp');
  await recorded('20.0.0.122', '02:97:00:00:00:7a', 3);
  const keys = await lab.redis.cli('KEYS', `missd:{${VNI}}:mac:02:95:*`);
  expect(keys.split('\n').length).toBeLessThanOrEqual(PORTS_LIMIT);
  expect((await traffic.stop()).lost).toBe(0);
});

test('an address whose owner does not answer any more is handed over to the MAC that has it', async () => {
  await beside.take('02:97:00:00:00:88', '20.0.0.88', 'arp');
  await recorded('20.0.0.88', '02:97:00:00:00:88', 3);
  await beside.drop();
  await victim.take('02:97:00:00:00:99', '20.0.0.88', 'arp');
  await recorded('20.0.0.88', '02:97:00:00:00:99', 2);
  expect((await asking.ping('20.0.0.88')).received).toBe(1);
});

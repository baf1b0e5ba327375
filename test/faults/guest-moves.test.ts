/** A guest that is moved from host to host while another pings it every 10 ms; what is lost is counted. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../src/lab/wait.ts';
import { JoinLab, PlainGuest, tellOnFailure } from '../lab/joining.ts';
import { type Announced, Place } from './places.ts';
import { Traffic } from './traffic.ts';

const VNI = 100;
const BRIDGE = 'br-blue';
const MOVES = 7;

let lab: JoinLab;
let asking: PlainGuest;
let places: [Place, Place];
let vteps: string[];
let made = 0;

beforeAll(async () => {
  lab = await JoinLab.open(3);
  await lab.network('blue', VNI, { publish: 'learned' });
  for (const n of [1, 2, 3]) await lab.run(n, ['blue']);
  vteps = await Promise.all([1, 2, 3].map(async (n) => (await lab.untilState(n, 'joined')).vtep ?? ''));
  asking = await PlainGuest.plug(lab.host(1), BRIDGE, 1, '20.0.0.1/24');
  places = [await Place.make(lab.host(2), BRIDGE, 2), await Place.make(lab.host(3), BRIDGE, 3)];
});
afterAll(async () => {
  for (const place of places) await place.close();
  await lab.close();
});
tellOnFailure(() => lab);

const record = (ip: string): Promise<string> => lab.redis.cli('GET', `missd:{${VNI}}:ip:${ip}`);
const recorded = (ip: string, mac: string, host: number): Promise<unknown> =>
  until(`${ip} to be on host ${host}`, async () => (await record(ip)) === `${mac} ${vteps[host - 1] ?? ''}`, {
    every: 20,
  });

/** A new guest, moved there and back. @returns lost packets of each move */
async function move(how: Announced, there: Place, back: Place): Promise<number[]> {
  made += 1;
  const mac = `02:97:00:00:00:${made.toString(16).padStart(2, '0')}`;
  const ip = `20.0.0.${100 + made}`;
  await there.take(mac, ip, 'arp');
  await recorded(ip, mac, there === places[0] ? 2 : 3);
  const lost: number[] = [];
  for (const [from, to] of [
    [there, back],
    [back, there],
  ] as const) {
    const traffic = await Traffic.start(lab.lab, asking.namespace, ip);
    await traffic.for(200);
    await Promise.all([from.drop(), to.take(mac, ip, how)]);
    // A guest that nobody announces is found when it says something.
    if (how === 'nothing') await to.ping(asking.ip);
    await recorded(ip, mac, to === places[0] ? 2 : 3);
    await traffic.flows();
    lost.push((await traffic.stop()).lost);
  }
  await there.drop();
  return lost;
}

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? NaN;

test.each<Announced>(['arp', 'rarp'])('announced by %s, it loses two packets at most', async (how) => {
  const lost: number[] = [];
  for (let n = 0; n < MOVES; n += 1) lost.push(...(await move(how, ...places)));
  expect(median(lost)).toBeLessThanOrEqual(2);
});

test('by nobody, it is found where it says something, and none is lost to its former place', async () => {
  for (let n = 0; n < 3; n += 1) await move('nothing', places[1], places[0]);
});

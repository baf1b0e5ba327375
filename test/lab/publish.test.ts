/** Guests publish themselves: hosts that join a network, guests that are plugged in, and no record typed. */
import { afterEach, expect, test } from 'vitest';
import { until } from '../../src/lab/wait.ts';
import { JoinLab, PlainGuest } from './joining.ts';

let lab: JoinLab | undefined;
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail' && lab !== undefined) {
    for (const daemon of lab.daemons.values()) console.error(daemon.log.slice(-40).join('\n'));
    console.error(await lab.redis.cli('KEYS', '*').catch(String));
  }
  await lab?.close();
  lab = undefined;
});

const VNI = 100;
const BRIDGE = 'br-blue';

async function open(hosts: number, more: object = {}): Promise<JoinLab> {
  const made = await JoinLab.open(hosts);
  lab = made;
  await made.network('blue', VNI, { publish: 'learned', lease: 2, ...more });
  for (let n = 1; n <= hosts; n += 1) await made.run(n, ['blue']);
  return made;
}

const record = (of: JoinLab, ip: string): Promise<string> => of.redis.cli('GET', `missd:{${VNI}}:ip:${ip}`);
const vtepOf = async (of: JoinLab, n: number): Promise<string> => (await of.status(n))[0]?.vtep ?? '';

test('two hosts from nothing: guests that were plugged in reach each other, and no record was typed', async () => {
  const blue = await open(2);
  const a = await PlainGuest.plug(blue.host(1), BRIDGE, 1, '20.0.0.1/24');
  const b = await PlainGuest.plug(blue.host(2), BRIDGE, 2, '20.0.0.2/24');
  const said = async (guest: PlainGuest, n: number): Promise<void> => {
    const expected = `${guest.mac} ${await vtepOf(blue, n)}`;
    await until(`the record of ${guest.ip}`, async () => (await record(blue, guest.ip)) === expected);
  };
  await said(a, 1);
  await said(b, 2);
  const { received } = await a.ping(b.ip);
  expect(received).toBe(1);
});

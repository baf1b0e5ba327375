import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { guestIp4, guestIp6 } from '../../src/lab/address.ts';
import type { Guest } from '../../src/lab/guest.ts';
import type { Namespace } from '../../src/lab/namespace.ts';
import type { Program } from '../../src/lab/program.ts';
import { until } from '../../src/lab/wait.ts';
import { BEFORE_THE_RETRY, Pair, close, tellOnFailure } from './harness.ts';

/** The guest that asked is told of the answer; nobody else hears a word of it. */
let pair: Pair;
let bystander: Guest;
const captures: Record<string, Program> = {};

/** Every frame that passes an interface, a line each, VXLAN unpacked. */
async function capture(name: string, namespace: Namespace, device: string): Promise<void> {
  const tcpdump = ['tcpdump', '-l', '-n', '-e', '--immediate-mode', '-i', device];
  const program = await pair.lab.start(namespace.inside(tcpdump));
  captures[name] = program;
  await program.until('tcpdump to listen', () => program.lines.some((line) => line.includes('listening on')));
}

beforeAll(async () => {
  pair = await Pair.build();
  bystander = await pair.host1.addGuest({ n: 3, dad: false });
  await pair.publishGuests(pair.guest1, pair.guest2, bystander);
  await capture('asker', pair.guest1.namespace, 'eth0');
  await capture('bystander', bystander.namespace, 'eth0');
  await capture('underlay', pair.host1.namespace, 'eth0');
});
afterAll(() => close(pair));
tellOnFailure(() => pair);

const lines = (name: string): readonly string[] => captures[name]?.lines ?? [];
const seen = (name: string, pattern: RegExp): Promise<unknown> =>
  until(`${name} to see ${pattern.source}`, () => lines(name).some((line) => pattern.test(line)));

describe.each([
  { family: 'IPv4', ip: guestIp4, asked: /Request who-has 20\.0\.0\.2 /, told: /Reply 20\.0\.0\.2 is-at/ },
  { family: 'IPv6', ip: guestIp6, asked: /who has fd20::2/, told: /neighbor advertisement, tgt is fd20::2/ },
])('an answer, $family', ({ ip, asked, told }) => {
  test('goes to the asker alone', async () => {
    const { guest1 } = pair;
    const { received, rtts } = await guest1.ping(ip(2));
    expect(received).toBe(1);
    expect(rtts[0]).toBeLessThan(BEFORE_THE_RETRY);
    await seen('asker', told);
    // What the bridge floods does come to the others, and what is sent does go out: the captures hear.
    await seen('bystander', asked);
    await seen('underlay', /VXLAN.*/);
    // A later packet has arrived: whatever was sent before it would have, too.
    expect((await guest1.ping(ip(3))).received).toBe(1);
    await seen('bystander', new RegExp(`> ${ip(3)}: ICMP6?,? echo request`));
    await seen('underlay', new RegExp(`${ip(2)} > ${ip(1)}: ICMP6?,? echo reply`));
    expect(lines('bystander').filter((line) => told.test(line))).toEqual([]);
    expect(lines('underlay').filter((line) => told.test(line))).toEqual([]);
  });
});

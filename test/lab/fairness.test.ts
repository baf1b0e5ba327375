/** One guest does its worst; what becomes of the others, of Redis and of the kernel. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { guestIp4, macOf } from '../../src/lab/address.ts';
import { run } from '../../src/lab/command.ts';
import { MISSD } from '../../src/lab/daemon.ts';
import type { PortStatus } from '../../src/observe/http/port-status.ts';
import type { Status } from '../../src/observe/http/status.ts';
import type { Guest } from '../../src/lab/guest.ts';
import { ipKey, macKey } from '../../src/lab/records.ts';
import { until } from '../../src/lab/wait.ts';
import { Pair, arpBurst, booksBalance, close, counting, tellOnFailure } from './harness.ts';

const LOOKUP_RATE = 500;
const fifty = Array.from({ length: 50 }, (_, index) => 101 + index);

let pair: Pair;
let hostile: Guest;
let flooder: string;
beforeAll(async () => {
  pair = await Pair.build({ also: fifty, flags: ['--lookup-rate', String(LOOKUP_RATE)] });
  hostile = await pair.host1.addGuest({ n: 3, dad: false });
  flooder = join(pair.lab.directory, 'flood');
  await run(['cc', '-O2', '-o', flooder, new URL('../flood.c', import.meta.url).pathname]);
  await pair.publishGuests(pair.guest1, pair.guest2, hostile);
  await pair.publish(
    ...fifty.map((n) => [ipKey(100, guestIp4(n)), `${macOf(guestIp4(n))} ${pair.host2.vtep}`] as const),
    ...fifty.slice(45).map((n) => [macKey(100, macOf(guestIp4(n))), pair.host2.vtep] as const),
  );
});
afterAll(() => close(pair));
tellOnFailure(() => pair);

/** @returns how many frames were sent */
const flood = async (kind: 'arp' | 'ns' | 'l2', seconds: number): Promise<number> =>
  Number(await hostile.namespace.exec([flooder, 'eth0', kind, String(seconds), '0']));
const table = async (): Promise<string> =>
  (await pair.host1.namespace.attempt(['nft', 'list', 'table', 'bridge', 'missd'])).stdout;
const keysRead = async (): Promise<number> => {
  const info = await pair.redis.cli('INFO', 'stats');
  const of = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1]);
  return of('keyspace_hits') + of('keyspace_misses');
};
const byPort = async (name: string): Promise<PortStatus> => {
  const status = JSON.parse((await pair.daemon.get('/status'))?.body ?? '') as Status;
  return status.devices[0]?.ports.find((port) => port.name === name) ?? { name, lookups: 0, shed: 0 };
};

test('a storm of 20,000 addresses that exist from one port is resolved whole', async () => {
  const { daemon, redis, guest1 } = pair;
  const storm = Array.from({ length: 20_000 }, (_, n) => `20.1.${n >> 8}.${n & 255}`);
  // One MAC, so that what comes later does not have as many FDB entries to dump.
  await redis.commands(storm.map((ip) => `SET "${ipKey(100, ip)}" "02:42:14:01:00:00 ${pair.host2.vtep}"`));
  const { since } = await counting(daemon, async () => {
    const before = await daemon.metric('missd_resolutions_total', { outcome: 'resolved' });
    await arpBurst(guest1, '20.1.0.0', 20_000);
    await until(
      'all of them to be resolved',
      async () =>
        (await daemon.metric('missd_resolutions_total', { outcome: 'resolved' })) >= before + 20_000,
    );
  });
  expect(since('missd_resolutions_total', { outcome: 'shed' })).toBe(0);
  expect(since('missd_throttles_total')).toBe(0);
});

describe.each([
  { kind: 'arp', fresh: fifty.slice(0, 15) },
  { kind: 'ns', fresh: fifty.slice(15, 30) },
  { kind: 'l2', fresh: fifty.slice(30, 45) },
] as const)('while a guest floods ($kind, forged sources)', ({ kind, fresh }) => {
  test('new pairs of another lose nothing, and Redis is asked no more than the rate', async () => {
    const { guest1 } = pair;
    const began = performance.now();
    const readBefore = await keysRead();
    const lane = 'g3';
    const before = { hostile: await byPort(lane), good: await byPort('g1') };
    const flooding = flood(kind, 4);
    // Else the first pairs would be before the flood.
    await until('the flood to be felt', async () => (await byPort(lane)).shed > 0);
    const pings = [];
    for (const n of fresh) pings.push(await guest1.ping(guestIp4(n)));
    // Their ARP entries outlived ours, so that each begins with a frame to a MAC: the second packet at the latest.
    const remembered = kind === 'l2' ? fifty.slice(45) : [];
    for (const n of remembered) {
      const neighbour = [guestIp4(n), 'lladdr', macOf(guestIp4(n)), 'dev', 'eth0', 'nud', 'permanent'];
      await guest1.namespace.ip(['neigh', 'replace', ...neighbour]);
      const { received } = await guest1.ping(guestIp4(n), { count: 2 });
      expect(received, guestIp4(n)).toBeGreaterThanOrEqual(1);
    }
    const sent = await flooding;
    const after = { hostile: await byPort(lane), good: await byPort('g1') };
    const asked = (await keysRead()) - readBefore;
    const seconds = (performance.now() - began) / 1000;
    expect(pings.filter(({ received }) => received !== 1)).toEqual([]);
    expect(sent).toBeGreaterThan(10 * LOOKUP_RATE);
    // Every port may ask so much in a second; the lanes of the innocent need a handful for the pairs, and their second look.
    expect(after.hostile.lookups - before.hostile.lookups).toBeLessThanOrEqual(LOOKUP_RATE * seconds);
    // A MAC without a trace is searched for among all records, seldom.
    if (kind !== 'l2') expect(asked).toBeLessThanOrEqual((LOOKUP_RATE + 50) * seconds + 1_000);
    expect(after.good.shed - before.good.shed).toBe(0);
    expect(after.good.lookups - before.good.lookups).toBeGreaterThanOrEqual(fresh.length);
  });

  test('every miss is accounted for', () => booksBalance(pair.daemon));
});

describe('the table in the kernel', () => {
  const throttled = async (): Promise<void> => {
    await flood('arp', 1);
    await until('the port to be throttled', async () => (await table()).includes('"g3"'));
  };

  test('is there while a port is throttled, and gone once the daemon is', async () => {
    await throttled();
    expect(await pair.daemon.metric('missd_throttled_ports')).toBe(1);
    // Answers go to whom they belong all the same.
    expect((await hostile.ping('20.0.0.2', { timeout: 5 })).received).toBe(1);
    await pair.daemon.stop();
    expect(await table()).toBe('');
  });

  test('outlives a kill, and not the successor', async () => {
    await pair.serve(pair.host1, ['--lookup-rate', String(LOOKUP_RATE)]);
    await throttled();
    await pair.daemon.kill();
    expect(await table()).toContain('"g3"');
    await pair.serve(pair.host1, ['--lookup-rate', String(LOOKUP_RATE)]);
    await until('the leftover to go', async () => (await table()) === '');
  });

  test('leaves an operator’s table of that name alone, and what a killed daemon left goes with `missd flush`', async () => {
    const { host1 } = pair;
    await pair.daemon.stop();
    const theirs = 'table bridge missd { chain keep { } }';
    await host1.namespace.exec(['nft', 'add table bridge missd; add chain bridge missd keep']);
    const tables = (): Promise<string> => host1.namespace.exec(['nft', 'list', 'ruleset']);
    await pair.serve(host1, ['--lookup-rate', String(LOOKUP_RATE)]);
    await flood('arp', 1);
    await until('the port to be throttled', async () => (await tables()).includes('"g3"'));
    expect(await table()).toContain('chain keep');
    expect(await table()).not.toContain('"g3"');
    await pair.daemon.kill();
    expect(await tables()).toContain('"g3"');
    await run([process.execPath, MISSD, 'flush', '--netns', host1.namespace.name]);
    expect((await tables()).replace(/\s+/g, ' ').trim()).toBe(theirs);
  });
});

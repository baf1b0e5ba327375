/** What commands of people do to records that hosts published, and with which rights of Redis a host publishes. */
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { parseRecords } from '../../src/directory/format.ts';
import type { HostIdentity, Ownership, OwnerMessage } from '../../src/directory/ownership.ts';
import { makeNetwork } from '../../src/directory/network-schema.ts';
import { removeEndpoint, setEndpoint } from '../../src/directory/redis/endpoints.ts';
import { importRecords, type Replace } from '../../src/directory/redis/import.ts';
import { RedisDirectory } from '../../src/directory/redis/redis-directory.ts';
import { parseRedisUrl } from '../../src/directory/redis/url.ts';
import { RedisWriter } from '../../src/directory/redis/writer.ts';
import { first } from './first.ts';
import { type RedisServer, startRedis } from './redis-server.ts';

const HOST: HostIdentity = { id: 'a', incarnation: 'aaaaaaaaaaaa', vtep: '10.99.0.1' };
const MAC = '02:42:14:00:00:02';
const OTHER = '02:42:14:00:00:03';
const IP = '20.0.0.2';
const SECOND = '20.0.0.3';

const GREEN = makeNetwork({ name: 'green', vni: 100, mode: 'routed', subnet: '10.20.0.0/16' });

let server: RedisServer;
const ends: (() => Promise<void>)[] = [];
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.kill());
beforeEach(async () => {
  await server.cli('FLUSHALL');
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function ownership(url = server.url, within = 10_000): Promise<Ownership> {
  return (await opened(url, within)).ownership;
}

async function opened(url: string, within: number): Promise<RedisDirectory> {
  const directory = new RedisDirectory({ target: parseRedisUrl(url) });
  ends.push(() => directory.close());
  directory.start();
  await first(directory.state$, ({ up }) => up, within);
  return directory;
}

async function published(): Promise<Ownership> {
  const own = await ownership();
  await own.renew(100, HOST, 1, 60_000, true);
  await own.publish(100, HOST, { mac: MAC, ips: [IP, SECOND], kind: 'learned' }, false);
  return own;
}

const write = <T>(act: (redis: RedisWriter) => Promise<T>): Promise<T> =>
  RedisWriter.use(parseRedisUrl(server.url), 'missd', act);

test('a record that is set by hand is no longer of the host, and stays', async () => {
  const own = await published();
  // The same values as the host's: only the companion tells them apart.
  await write((redis) => setEndpoint(redis, 100, { ip: IP, mac: MAC, vtep: HOST.vtep, router: false }));
  expect((await own.owner(100, MAC))?.ips).toEqual([SECOND]);
  expect(await own.withdraw(100, HOST, MAC)).toBe(1);
  expect(await server.cli('GET', `missd:{100}:ip:${IP}`)).toBe(`${MAC} ${HOST.vtep}`);
  expect(await server.cli('GET', `missd:{100}:mac:${MAC}`)).toBe(HOST.vtep);
});

test('nor is one that is given to another MAC', async () => {
  const own = await published();
  await write((redis) => setEndpoint(redis, 100, { ip: IP, mac: OTHER, vtep: '10.99.0.9', router: false }));
  expect((await own.owner(100, MAC))?.ips).toEqual([SECOND]);
});

test('a record that is removed by hand is put back by the host, as its own', async () => {
  const own = await published();
  await write((redis) => removeEndpoint(redis, 100, IP));
  expect((await own.owner(100, MAC))?.ips).toEqual([SECOND]);
  await own.publish(100, HOST, { mac: MAC, ips: [IP], kind: 'learned' }, false);
  expect((await own.owner(100, MAC))?.ips.toSorted()).toEqual([IP, SECOND]);
  expect(await server.cli('GET', `missd:{100}:ip:${IP}`)).toBe(`${MAC} ${HOST.vtep}`);
});

test('an import that replaces leaves the records of hosts, unless it is to remove them as well', async () => {
  const records = async (): Promise<string[]> =>
    (await server.cli('KEYS', 'missd:{100}:*'))
      .split('\n')
      .filter((key) => /:(?:ip|mac|subnet):/.test(key))
      .toSorted();
  await published();
  await server.cli('SET', 'missd:{100}:subnet:10.20.2.0/24', `${MAC} ${HOST.vtep}`);
  await server.cli('SADD', 'missd:{100}:subnets', '10.20.2.0/24', '10.20.3.0/24');
  await server.cli('SET', 'missd:{100}:subnet:10.20.3.0/24', `${OTHER} 10.99.0.9`);
  await server.cli('HSET', 'missd:{100}:prefixes', '10.20.2.0/24', 'host a', '10.20.3.0/24', 'reserved x');
  await server.cli('SET', 'missd:{100}:ip:20.0.0.9', `${OTHER} 10.99.0.9`);
  await server.cli('SET', `missd:{100}:mac:${OTHER}`, '10.99.0.9');
  const file = parseRecords(
    'vnis: { 100: { endpoints: [ { ip: 20.0.0.7, mac: "02:42:14:00:00:07", vtep: 10.99.0.7 } ] } }',
    'file',
  );
  const run = (replace: Replace) => write((redis) => importRecords(redis, file, replace));
  await run('unowned');
  const new7 = ['missd:{100}:ip:20.0.0.7', 'missd:{100}:mac:02:42:14:00:00:07'];
  expect(await records()).toEqual(
    [
      ...new7,
      `missd:{100}:ip:${IP}`,
      `missd:{100}:ip:${SECOND}`,
      `missd:{100}:mac:${MAC}`,
      'missd:{100}:subnet:10.20.2.0/24',
    ].toSorted(),
  );
  expect(await server.cli('SMEMBERS', 'missd:{100}:subnets')).toBe('10.20.2.0/24');
  await run('all');
  expect(await records()).toEqual(new7);
});

test('the rights that the documentation gives to a host that publishes are enough, and none is too many', async () => {
  const page = readFileSync(new URL('../../docs/directory.md', import.meta.url), 'utf8');
  const line = /ACL SETUSER missd-publisher [\s\S]*?\n```/.exec(page)?.[0] ?? '';
  const rights = line
    .replace(/^ACL SETUSER missd-publisher|\\\n|```$/g, '')
    .replace(/'/g, '')
    .trim()
    .split(/\s+/);
  const commands = rights.filter((right) => right.startsWith('+'));
  expect(commands.length).toBeGreaterThan(20);
  const url = `redis://publisher:secret@127.0.0.1:${server.port}`;
  const grant = (without?: string) =>
    server.cli(
      ...['ACL', 'SETUSER', 'publisher', 'reset', 'on', '>secret'],
      ...rights.filter((right) => right !== without && right !== 'on' && !right.startsWith('>')),
    );
  await grant();
  expect(await life(url, 20_000)).toBe('done');
  const superfluous: string[] = [];
  for (const command of commands) {
    await server.cli('FLUSHALL');
    await server.cli('SCRIPT', 'FLUSH');
    await grant(command);
    if ((await life(url).catch(() => 'failed')) === 'done') superfluous.push(command);
  }
  // Of lookups, which doctor examines; without UNSUBSCRIBE the feed connects anew; WAIT is for servers with replicas.
  const others = ['+dbsize', '+unsubscribe', '+wait'];
  expect(superfluous.filter((command) => !others.includes(command))).toEqual([]);
}, 120_000);

/** Everything that a host does in its life. @param patience how long the directory may take to answer, ms */
async function life(url: string, patience = 1_500): Promise<string> {
  const directory = await opened(url, patience);
  const own = directory.ownership;
  const again = { ...HOST, id: 'b', incarnation: 'bbbbbbbbbbbb', vtep: '10.99.0.2' };
  await own.renew(100, HOST, 1, 60_000, true);
  await own.renew(100, again, 1, 60_000, true);
  await routedLife(directory);
  const guest = { mac: MAC, ips: [IP], kind: 'learned' as const };
  await own.publish(100, HOST, guest, false);
  await own.move(100, again, guest, 1);
  await own.publish(100, HOST, { ...guest, mac: OTHER }, true);
  await own.owned(100, 'b');
  await own.hosts(100);
  await own.remaining(100, 'b');
  if ((await own.uptime()) === undefined) throw new Error('not permitted');
  await own.withdraw(100, again, MAC);
  await own.publish(100, again, guest, false);
  await server.cli('DEL', 'missd:{100}:host:b');
  await own.publish(100, HOST, { ...guest, mac: OTHER }, true);
  await own.publish(100, HOST, { ...guest, ips: [] }, true);
  await own.renew(100, { ...again, incarnation: 'bbbbbbbbbbbc' }, 1, 1, true);
  await server.cli('DEL', 'missd:{100}:host:b');
  await own.reap(100, 'b', 'bbbbbbbbbbbc', 9);
  own.listen([{ vni: 100, id: 'x' }]);
  own.listen([{ vni: 100, id: 'a' }]);
  const claim: OwnerMessage = { type: 'claim', vni: 100, from: 'b', mac: OTHER, ip: IP, owner: MAC };
  const heard = first(own.messages$, ({ type }) => type === 'claim', 2 * patience).then(() => 'done', String);
  // One that is sent before the subscription is in force reaches nobody.
  const told = setInterval(() => void own.tell('a', claim).catch(() => undefined), 100);
  try {
    return await heard;
  } finally {
    clearInterval(told);
  }
}

/** The same in a routed network. */
async function routedLife(directory: RedisDirectory): Promise<void> {
  const { prefixes } = directory;
  await directory.restoreNetwork(GREEN);
  await server.cli('HDEL', 'missd:{100}:prefixes', 'restored');
  await server.cli('DEL', 'missd:networks');
  if ((await directory.network('green')) === undefined) throw new Error('no network');
  const cidr = await prefixes.acquire(GREEN, HOST);
  // Other rights than INFO's are missed loudly.
  if ((await server.cli('HGET', 'missd:{100}:prefixes', 'replid')) === '')
    throw new Error('no replication id');
  await prefixes.publish(GREEN, HOST, { cidr, mac: MAC });
  await prefixes.release(GREEN, HOST.id);
  if ((await server.cli('EXISTS', `missd:{100}:subnet:${cidr}`)) !== '0') throw new Error('still published');
}

/** What the directory knows of an address without asking: that it has no record, if it knows that at all. */
import { filter, firstValueFrom, timeout } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';
import { parseRedisUrl } from '../../src/directory/redis/url.ts';
import { RedisDirectory } from '../../src/directory/redis/redis-directory.ts';
import { until } from '../../src/lab/wait.ts';
import { type RedisServer, startRedis } from './redis-server.ts';

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function redis(): Promise<RedisServer> {
  const server = await startRedis();
  ends.push(() => server.kill());
  await server.cli('SADD', 'missd:{100}:subnets', '20.0.0.0/16');
  await server.cli('SET', 'missd:{100}:subnet:20.0.0.0/16', '02:f0:00:00:00:02 10.99.0.2');
  return server;
}

function open(server: RedisServer): RedisDirectory {
  const directory = new RedisDirectory({ target: parseRedisUrl(server.url) });
  ends.push(() => directory.close());
  void directory.follow(new Set([100]));
  directory.start();
  return directory;
}

const known = (directory: RedisDirectory, ip = '20.0.0.1') =>
  until('the directory to know', () => directory.lacksRecord(100, ip));
const set = (server: RedisServer, ip: string) =>
  server.cli('SET', `missd:{100}:ip:${ip}`, '02:42:14:00:00:02 10.99.0.2');
const told = (directory: RedisDirectory, type: string) =>
  firstValueFrom(
    directory.changes$.pipe(
      filter((change) => change.type === type),
      timeout(5000),
    ),
    { defaultValue: undefined },
  );

describe('that an address has no record', () => {
  it('is known where the VNI has leases, and never of one that had a record before', async () => {
    const server = await redis();
    await set(server, '20.0.0.2');
    const directory = open(server);
    expect(directory.lacksRecord(100, '20.0.0.1')).toBe(false);
    await known(directory);
    expect(directory.lacksRecord(100, '20.0.0.2')).toBe(false);
    expect(directory.lacksRecord(200, '20.0.0.1')).toBe(false);
  });

  it('is over as soon as one is written', async () => {
    const server = await redis();
    const directory = open(server);
    await known(directory);
    const heard = told(directory, 'records');
    await set(server, '20.0.0.1');
    await heard;
    expect(directory.lacksRecord(100, '20.0.0.1')).toBe(false);
    expect(directory.lacksRecord(100, '20.0.0.3')).toBe(true);
  });

  it('is not known from the moment the feed is lost until everything has been looked through again', async () => {
    const server = await redis();
    const directory = open(server);
    await known(directory);
    const gap = told(directory, 'gap').then(() => directory.lacksRecord(100, '20.0.0.1'));
    await server.batch('MULTI', 'CLIENT KILL TYPE pubsub', 'SET missd:{100}:ip:20.0.0.1 x', 'EXEC');
    expect(await gap).toBe(false);
    await known(directory, '20.0.0.3');
    expect(directory.lacksRecord(100, '20.0.0.1')).toBe(false);
  });

  it('is not learned of a directory that is large', async () => {
    const server = await redis();
    await server.cli('EVAL', "for i = 1, 50001 do redis.call('SET', 'other' .. i, 1) end", '0');
    const directory = open(server);
    const asked = async (): Promise<string> => server.cli('INFO', 'commandstats');
    await until('it to ask for the size', async () => (await asked()).includes('cmdstat_dbsize'));
    // In order, on the same connection: a SCAN would have been asked for by now.
    await directory.read([{ vni: 100, kind: 'ip', address: '20.0.0.1' }]);
    expect(directory.lacksRecord(100, '20.0.0.1')).toBe(false);
    expect(await asked()).not.toContain('cmdstat_scan');
  });
});

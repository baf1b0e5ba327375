/** Prefixes of routed networks, acquired on a real redis-server and a real cluster. */
import { type ChildProcess, spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { makeNetwork, renderNetwork } from '../../src/directory/network-schema.ts';
import type { HostIdentity } from '../../src/directory/ownership.ts';
import { NoPrefixLeft } from '../../src/directory/prefixes.ts';
import { removeNetwork } from '../../src/directory/redis/network-removal.ts';
import { createNetwork } from '../../src/directory/redis/network-writes.ts';
import { RedisDirectory } from '../../src/directory/redis/redis-directory.ts';
import { parseRedisUrl } from '../../src/directory/redis/url.ts';
import { RedisWriter } from '../../src/directory/redis/writer.ts';
import { MISSD } from '../../src/lab/daemon.ts';
import { until } from '../../src/lab/wait.ts';
import { startCluster } from './redis-cluster.ts';
import { type RedisServer, startRedis } from './redis-server.ts';

const GREEN = makeNetwork({ name: 'green', vni: 200, mode: 'routed', subnet: '10.20.0.0/16' });
/** Four prefixes. */
const SMALL = makeNetwork({ name: 'small', vni: 201, mode: 'routed', subnet: '10.21.0.0/22' });
const MAC = '02:f0:00:00:00:01';
const PREFIXES = 'missd:{201}:prefixes';

let server: RedisServer;
let directory: RedisDirectory;
beforeAll(async () => {
  server = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] });
});
afterAll(async () => {
  await server.kill();
});
beforeEach(async () => {
  await server.cli('FLUSHALL');
  for (const network of [GREEN, SMALL]) await define(server, network);
  directory = await open(server.url);
});
afterEach(async () => {
  for (const child of spawned) child.kill('SIGKILL');
  spawned.clear();
  await directory.close();
});

async function open(url: string): Promise<RedisDirectory> {
  const opened = new RedisDirectory({ target: parseRedisUrl(url) });
  opened.start();
  await vi.waitFor(() => {
    expect(opened.health().up.lookups).toBe(true);
  }, 5000);
  return opened;
}

const define = (on: RedisServer, network: typeof GREEN): Promise<string> =>
  on.cli('SET', `missd:{${network.vni}}:network`, renderNetwork(network));

let incarnations = 0;
/** A host with a lease, of a new incarnation each time. */
async function host(id: string, on = server, vni = SMALL.vni): Promise<HostIdentity> {
  const incarnation = (++incarnations).toString(16).padStart(12, '0');
  const vtep = `10.99.0.${id.replace(/\D/g, '') || '1'}`;
  await on.cli('SET', `missd:{${vni}}:host:${id}`, `${incarnation} 1 ${vtep}`, 'PX', '600000');
  await on.cli('HSET', `missd:{${vni}}:hosts`, id, incarnation);
  return { id, incarnation, vtep };
}
const ended = (id: string): Promise<string> => server.cli('DEL', `missd:{201}:host:${id}`);
const acquire = (of: HostIdentity): Promise<string> => directory.prefixes.acquire(SMALL, of);

const spawned = new Set<ChildProcess>();

/** A process of its own that is about to acquire a prefix for each of some hosts. */
async function acquirer(url: string, hosts: readonly HostIdentity[]) {
  const script = fileURLToPath(new URL('acquire-prefix.mjs', import.meta.url));
  const words = hosts.map(({ id, incarnation }) => `${id}:${incarnation}`);
  const argv = [process.execPath, script, dirname(MISSD), url, 'green', ...words];
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...argv], { stdio: ['pipe', 'pipe', 'inherit'] });
  spawned.add(child);
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const next = async (): Promise<string> => String((await lines.next()).value);
  expect(await next()).toBe('ready');
  return {
    acquire: (): Promise<string> => {
      child.stdin.write('go\n');
      return next();
    },
    kill: () => child.kill('SIGKILL'),
  };
}

async function fifty(url: string, on: RedisServer, processes: number): Promise<void> {
  const hosts = await Promise.all(Array.from({ length: 50 }, (_, at) => host(`h${at + 1}`, on, GREEN.vni)));
  const each = hosts.length / processes;
  const acquirers: Awaited<ReturnType<typeof acquirer>>[] = [];
  // Ten at a time: starting takes more processor than acquiring.
  for (let from = 0; from < processes; from += 10)
    acquirers.push(
      ...(await Promise.all(
        Array.from({ length: 10 }, (_, at) =>
          acquirer(url, hosts.slice((from + at) * each, (from + at + 1) * each)),
        ),
      )),
    );
  const acquired = (await Promise.all(acquirers.map((one) => one.acquire()))).flatMap((line) =>
    line.split(' '),
  );
  expect(new Set(acquired).size).toBe(50);
  for (const cidr of acquired) expect(cidr).toMatch(/^10\.20\.\d+\.0\/24$/);
  const assigned = await on.cli('HGETALL', 'missd:{200}:prefixes');
  expect(assigned.split('\n').filter((line) => line.startsWith('host '))).toHaveLength(50);
}

/** What the acquisition does not run. */
async function everyScript(url: string, on: RedisServer): Promise<void> {
  const elsewhere = await open(url);
  try {
    const h1 = await host('h1', on, GREEN.vni);
    const cidr = await elsewhere.prefixes.acquire(GREEN, h1);
    expect(await elsewhere.prefixes.publish(GREEN, h1, { cidr, mac: MAC })).toMatchObject({ outcome: 'ok' });
    expect(await on.cli('GET', `missd:{200}:subnet:${cidr}`)).toBe(`${MAC} 10.99.0.1`);
    await on.cli('DEL', 'missd:{200}:network', 'missd:{200}:host:h1');
    await on.cli('DEL', 'missd:networks');
    expect(await elsewhere.restoreNetwork(GREEN)).toBe('restored');
    expect(await elsewhere.network('green')).toEqual(GREEN);
    expect(await elsewhere.prefixes.withdraw(GREEN.vni, 'h1', h1.incarnation)).toBe(1);
    expect(await elsewhere.prefixes.release(GREEN, 'h1')).toEqual([cidr]);
  } finally {
    await elsewhere.close();
  }
}

describe('fifty hosts at once acquire fifty prefixes', () => {
  it('in fifty processes on one server', async () => {
    await fifty(server.url, server, 50);
  }, 120_000);

  it('in ten processes on a cluster of three masters', async () => {
    const { nodes, url } = await startCluster();
    try {
      const [node] = nodes;
      if (node === undefined) throw new Error('no node');
      const write = <T>(act: (redis: RedisWriter) => Promise<T>): Promise<T> =>
        RedisWriter.use(parseRedisUrl(url), 'missd', act);
      await write((redis) => createNetwork(redis, GREEN));
      await fifty(url, node, 10);
      await expect(write((redis) => removeNetwork(redis, 'green'))).rejects.toThrow(
        /in use by h1, h10, .* and 45 more/,
      );
      await everyScript(url, node);
      const ids = Array.from({ length: 50 }, (_, at) => `missd:{200}:host:h${at + 1}`);
      await node.cli('DEL', ...ids);
      await write((redis) => removeNetwork(redis, 'green'));
      for (const one of nodes) expect(await one.cli('DBSIZE')).toBe('0');
    } finally {
      await Promise.all(nodes.map((one) => one.kill()));
    }
  }, 120_000);

  it('and a host that is killed acquires the same again', async () => {
    const first = await acquirer(server.url, [await host('h1', server, GREEN.vni)]);
    const cidr = await first.acquire();
    first.kill();
    await host('h2', server, GREEN.vni);
    const again = await acquirer(server.url, [await host('h1', server, GREEN.vni)]);
    expect(await again.acquire()).toBe(cidr);
    again.kill();
  });
});

describe('a host', () => {
  it('acquires the same prefix again, and after all others are taken, too', async () => {
    const cidr = await acquire(await host('h1'));
    for (const id of ['h2', 'h3', 'h4']) await acquire(await host(id));
    await ended('h1');
    expect(await acquire(await host('h1'))).toBe(cidr);
  });

  it('without a lease acquires and publishes nothing', async () => {
    const old = await host('h1');
    const now = await host('h1');
    await expect(acquire(old)).rejects.toMatchObject({
      name: 'DirectoryError',
      message: /host h1 has no lease/,
    });
    const cidr = await acquire(now);
    expect(await directory.prefixes.publish(SMALL, old, { cidr, mac: MAC })).toEqual({ outcome: 'lease' });
    expect(await server.cli('EXISTS', `missd:{201}:subnet:${cidr}`)).toBe('0');
  });

  it('acquires no reserved prefix but the one that is reserved for it', async () => {
    for (const third of [0, 1, 2])
      await server.cli('HSET', PREFIXES, `10.21.${third}.0/24`, 'reserved somebody');
    expect(await acquire(await host('h1'))).toBe('10.21.3.0/24');
    await expect(acquire(await host('h2'))).rejects.toBeInstanceOf(NoPrefixLeft);
    await server.cli('HSET', PREFIXES, '10.21.1.0/24', 'reserved h1');
    expect(await acquire(await host('h1'))).toBe('10.21.1.0/24');
    // What it had before is free.
    expect(await acquire(await host('h2'))).toBe('10.21.3.0/24');
  });

  it('acquires the prefix of an ended host when no other is free, that of the first one to end', async () => {
    const taken = new Map<string, string>();
    for (const id of ['h1', 'h2', 'h3']) taken.set(id, await acquire(await host(id)));
    await server.cli(
      'HSET',
      PREFIXES,
      taken.get('h2') ?? '',
      'host h2 1 1000',
      taken.get('h1') ?? '',
      'host h1 1 2000',
    );
    await ended('h1');
    await ended('h2');
    expect([...taken.values()]).not.toContain(await acquire(await host('h4')));
    expect(await acquire(await host('h5'))).toBe(taken.get('h2'));
    expect(await acquire(await host('h6'))).toBe(taken.get('h1'));
    await expect(acquire(await host('h7'))).rejects.toThrow('network small: no /24 of 10.21.0.0/22 is free');
  });
});

describe('a prefix', () => {
  const key = (cidr: string): string => `missd:{201}:subnet:${cidr}`;
  const written = async (): Promise<string> =>
    /rdb_changes_since_last_save:(\d+)/.exec(await server.cli('INFO', 'persistence'))?.[1] ?? '';

  it('is published as a lease, and written once', async () => {
    const h1 = await host('h1');
    const cidr = await acquire(h1);
    const first = await directory.prefixes.publish(SMALL, h1, { cidr, mac: MAC });
    expect(first).toEqual({ outcome: 'ok', since: expect.any(Number) as number });
    expect(await server.cli('GET', key(cidr))).toBe(`${MAC} 10.99.0.1`);
    expect(await server.cli('SMEMBERS', 'missd:{201}:subnets')).toBe(cidr);
    const before = await written();
    expect(await directory.prefixes.publish(SMALL, h1, { cidr, mac: MAC })).toEqual(first);
    expect(await written()).toBe(before);
    await directory.prefixes.publish(SMALL, { ...h1, vtep: '10.99.0.77' }, { cidr, mac: MAC });
    expect(await server.cli('GET', key(cidr))).toBe(`${MAC} 10.99.0.77`);
  });

  it('whose record was written by hand is left alone', async () => {
    const h1 = await host('h1');
    const cidr = await acquire(h1);
    await directory.prefixes.publish(SMALL, h1, { cidr, mac: MAC });
    await server.cli('SET', key(cidr), '02:f0:00:00:00:99 10.99.0.99');
    expect(await directory.prefixes.publish(SMALL, h1, { cidr, mac: MAC })).toMatchObject({
      outcome: 'manual',
    });
    expect(await directory.prefixes.release(SMALL, 'h1')).toEqual([cidr]);
    expect(await server.cli('GET', key(cidr))).toBe('02:f0:00:00:00:99 10.99.0.99');
  });

  it('is given back with its record', async () => {
    const h1 = await host('h1');
    const cidr = await acquire(h1);
    await directory.prefixes.publish(SMALL, h1, { cidr, mac: MAC });
    expect(await directory.prefixes.release(SMALL, 'h1')).toEqual([cidr]);
    expect(await server.cli('EXISTS', key(cidr), 'missd:{201}:subnets')).toBe('0');
    expect(await server.cli('HKEYS', PREFIXES)).toBe('replid');
    expect(await directory.prefixes.release(SMALL, 'h1')).toEqual([]);
  });

  it('of an ended host is withdrawn, and stays assigned', async () => {
    const h1 = await host('h1');
    const cidr = await acquire(h1);
    await directory.prefixes.publish(SMALL, h1, { cidr, mac: MAC });
    const withdraw = (incarnation: string): Promise<number> =>
      directory.prefixes.withdraw(SMALL.vni, 'h1', incarnation);
    expect(await withdraw(h1.incarnation)).toBe(0);
    await ended('h1');
    expect(await withdraw('ffffffffffff')).toBe(0);
    expect(await withdraw(h1.incarnation)).toBe(1);
    expect(await server.cli('EXISTS', key(cidr), 'missd:{201}:subnets')).toBe('0');
    expect(await acquire(await host('h1'))).toBe(cidr);
  });
});

it('a VNI with a network, hosts and prefixes and no record is empty', async () => {
  const h1 = await host('h1');
  const cidr = await acquire(h1);
  expect(await directory.isEmpty(SMALL.vni)).toBe(true);
  await directory.prefixes.publish(SMALL, h1, { cidr, mac: MAC });
  expect(await directory.isEmpty(SMALL.vni)).toBe(false);
});

describe('after a loss', () => {
  it('a holder asserts its prefix before anything new is assigned', async () => {
    const h1 = await host('h1');
    const cidr = await acquire(h1);
    const published = await directory.prefixes.publish(SMALL, h1, { cidr, mac: MAC });
    if (published.outcome !== 'ok') throw new Error(published.outcome);
    await server.cli('FLUSHALL');
    expect(await directory.network('small')).toBeUndefined();
    expect(await directory.restoreNetwork(SMALL)).toBe('restored');
    expect(await directory.restoreNetwork(SMALL)).toBe('there');
    expect(await directory.network('small')).toEqual(SMALL);
    await server.cli('SET', `missd:{201}:host:h1`, `${h1.incarnation} 2 10.99.0.1`);
    await expect(acquire(await host('h2'))).rejects.toThrow(
      /may have lost assignments; none is made for another [45] s/,
    );
    expect(await directory.prefixes.publish(SMALL, h1, { cidr, mac: MAC, since: published.since })).toEqual(
      published,
    );
    // Without a wait for the rest of the time.
    await server.cli('HSET', PREFIXES, 'restored', '1');
    for (const id of ['h2', 'h3', 'h4']) expect(await acquire(await host(id))).not.toBe(cidr);
  });

  it('a network with another definition stays', async () => {
    const other = renderNetwork({ ...SMALL, lease: 7 });
    await server.cli('SET', 'missd:{201}:network', other);
    expect(await directory.restoreNetwork(SMALL)).toBe('other');
    expect(await server.cli('GET', 'missd:{201}:network')).toBe(other);
  });

  it('another server assigns nothing new for a while, but gives a host what it has', async () => {
    const cidr = await acquire(await host('h1'));
    await server.cli('HSET', PREFIXES, 'replid', '0'.repeat(40));
    await expect(acquire(await host('h2'))).rejects.toThrow(/may have lost assignments/);
    expect(await acquire(await host('h1'))).toBe(cidr);
  });

  it('of two holders the later one yields', async () => {
    const [h1, h2] = [await host('h1'), await host('h2')];
    const cidr = await acquire(h1);
    const published = await directory.prefixes.publish(SMALL, h1, { cidr, mac: MAC });
    if (published.outcome !== 'ok') throw new Error(published.outcome);
    const { since } = published;
    // A failover lost the assignment, and h2 acquired the prefix.
    const of = (id: string, at: number): Promise<string> =>
      server.cli('HSET', PREFIXES, cidr, `host ${id} ${at} ${at}`);
    await of('h2', since + 1000);
    await directory.prefixes.publish(SMALL, h2, { cidr, mac: '02:f0:00:00:00:02', since: since + 1000 });
    // After a break the host has no claim any more.
    expect(await directory.prefixes.publish(SMALL, h1, { cidr, mac: MAC })).toEqual({
      outcome: 'taken',
      by: 'h2',
    });
    expect(await directory.prefixes.publish(SMALL, h1, { cidr, mac: MAC, since })).toEqual({
      outcome: 'ok',
      since,
    });
    expect(await server.cli('GET', `missd:{201}:subnet:${cidr}`)).toBe(`${MAC} 10.99.0.1`);
    expect(
      await directory.prefixes.publish(SMALL, h2, { cidr, mac: '02:f0:00:00:00:02', since: since + 1000 }),
    ).toEqual({ outcome: 'taken', by: 'h1' });
    expect(await acquire(h2)).not.toBe(cidr);
  });
});

describe('with a replica', () => {
  it('a prefix is acquired when the replica has the assignment', async () => {
    const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(server.port)] });
    try {
      await until('the replica to follow', async () =>
        (await replica.cli('INFO', 'replication')).includes('master_link_status:up'),
      );
      const [h1, h2] = [await host('h1'), await host('h2')];
      // The master sends no writes before the first REPLCONF ACK, which a replica sends once a second (replication.c).
      const cidr = await until('h1 to acquire', () => acquire(h1).catch(() => undefined));
      expect(await replica.cli('HGET', PREFIXES, cidr)).toMatch(/^host h1 /);
      replica.freeze();
      await expect(acquire(h2)).rejects.toThrow(
        /no replica has confirmed the assignment of 10\.21\.\d\.0\/24 yet/,
      );
      replica.thaw();
      expect(await until('h2 to acquire', () => acquire(h2).catch(() => undefined))).toMatch(/^10\.21\./);
      // A failover: what the replica has counts, and nothing new is assigned until its holders asserted theirs.
      await replica.cli('REPLICAOF', 'NO', 'ONE');
      const after = await open(replica.url);
      try {
        expect(await after.prefixes.acquire(SMALL, h1)).toBe(cidr);
        const h3 = await host('h3', replica);
        await expect(after.prefixes.acquire(SMALL, h3)).rejects.toThrow(/may have lost assignments/);
      } finally {
        await after.close();
      }
    } finally {
      replica.thaw();
      await replica.kill();
    }
  });
});

/** The directory where it is more than one server, or an encrypted one. */
import { until } from '../../src/lab/wait.ts';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { DirectoryChange, RecordKey } from '../../src/directory/directory.ts';
import { parseRedisUrl, type RedisAccess } from '../../src/directory/redis/url.ts';
import { RedisDirectory } from '../../src/directory/redis/redis-directory.ts';
import { RedisWriter } from '../../src/directory/redis/writer.ts';
import { listEndpoints, removeEndpoint, setEndpoint } from '../../src/directory/redis/endpoints.ts';
import { exportRecords, importRecords } from '../../src/directory/redis/import.ts';
import { makeCertificates } from './certificates.ts';
import { first } from './first.ts';
import { BEGINS, meetsHugeValue } from './huge-value.ts';
import { startCluster, startClusterNode } from './redis-cluster.ts';
import { freePort, type RedisServer, startRedis } from './redis-server.ts';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const up = ({ state$ }: RedisDirectory, within?: number) => first(state$, (state) => state.up, within);
const down = ({ state$ }: RedisDirectory, within?: number) => first(state$, (state) => !state.up, within);
const change = ({ changes$ }: RedisDirectory, is: (one: DirectoryChange) => boolean, within?: number) =>
  first(changes$, is, within);
const names = (vni: number) => (one: DirectoryChange) =>
  one.type === 'records' && one.keys.some((key) => key.vni === vni);
const key = (vni: number): RecordKey => ({ vni, kind: 'ip', address: '20.0.0.2' });
const VALUE = '02:42:14:00:00:02 10.99.0.2';
const redisKey = (vni: number): string => `missd:{${vni}}:ip:20.0.0.2`;

function open(url: string, vnis: number[], access: RedisAccess = {}): RedisDirectory {
  const directory = new RedisDirectory({ target: parseRedisUrl(url, access) });
  ends.push(() => directory.close());
  void directory.follow(new Set(vnis));
  directory.start();
  return directory;
}

const reasonOf = async (directory: RedisDirectory): Promise<string> => {
  const state = await first(directory.state$, (one) => !one.up && one.reason !== 'connecting');
  return state.up ? '' : state.reason;
};

describe('a cluster of three masters', () => {
  let nodes: RedisServer[];
  let url: string;
  /** VNIs whose keys are on the first, second and third node. */
  const vnis: number[] = [];

  beforeAll(async () => {
    ({ nodes, url } = await startCluster());
    const spare = await startClusterNode();
    const [a] = nodes;
    nodes.push(spare);
    const slots = [5460, 10922, 16383];
    for (const [index, last] of slots.entries()) {
      for (let vni = 100; vnis.length <= index; vni++) {
        const slot = Number(await a?.cli('CLUSTER', 'KEYSLOT', redisKey(vni)));
        if (slot <= last && (index === 0 || slot > (slots[index - 1] ?? 0))) vnis.push(vni);
      }
    }
  });
  afterAll(async () => {
    for (const node of nodes) await node.kill();
  });

  it('answers one read from all of them, and each is heard of', async () => {
    const [node] = nodes;
    for (const vni of vnis) {
      await node?.cli('SET', redisKey(vni), `${VALUE}${vni}`);
      await node?.cli('SADD', `missd:{${vni}}:subnets`, '10.20.2.0/24');
      await node?.cli('SET', `missd:{${vni}}:subnet:10.20.2.0/24`, VALUE);
    }
    const directory = open(url, vnis);
    await up(directory);
    expect(await directory.read([...vnis, ...vnis].map(key))).toEqual(
      [...vnis, ...vnis].map((vni) => `${VALUE}${vni}`),
    );
    for (const vni of vnis) expect(directory.leases(vni).all()).toHaveLength(1);
    for (const vni of vnis) {
      const heard = change(directory, names(vni));
      await node?.cli('SET', redisKey(vni), VALUE);
      await heard;
    }
    const flushed = change(directory, (one) => one.type === 'flushed');
    await nodes[2]?.cli('FLUSHALL');
    await flushed;
  });

  it('is written and listed through any of its nodes', async () => {
    await RedisWriter.use(parseRedisUrl(url), 'missd', async (redis) => {
      const endpoint = { ip: '20.0.0.7', mac: '02:42:14:00:00:07', vtep: '10.99.0.2', router: false };
      for (const vni of vnis) await setEndpoint(redis, vni, endpoint, 100);
      const listed = await listEndpoints(redis);
      for (const vni of vnis) {
        expect(listed.filter((one) => one.vni === vni && one.ip === '20.0.0.7')).toHaveLength(1);
        expect(await removeEndpoint(redis, vni, '20.0.0.7')).toHaveLength(2);
      }
      const records = new Map(
        vnis.map((vni) => [vni, { endpoints: [endpoint], subnets: [], vteps: ['10.99.0.2'] }]),
      );
      await importRecords(redis, records, 'all');
      expect(await exportRecords(redis, undefined, () => undefined)).toEqual(records);
    });
  });

  it.each(BEGINS)('has one value that is huge and begins as %s', async (_, begin) => {
    const directory = open(url, vnis);
    await up(directory);
    await meetsHugeValue(directory, nodes[0], vnis[1] ?? 0, begin);
  });

  it('says down while a master does not answer, and up when it does', async () => {
    const directory = open(url, vnis);
    await up(directory);
    const lost = down(directory, 4000);
    nodes[1]?.freeze();
    await lost;
    await expect(directory.read(vnis.map(key))).rejects.toHaveProperty('name', 'DirectoryError');
    nodes[1]?.thaw();
    await up(directory);
    expect(await directory.read(vnis.map(key))).toHaveLength(3);
  });

  it('goes on with the replica when a master dies, after a gap', async () => {
    const [a, b, c, spare] = nodes;
    // The others may hold b for failed still, and a cluster of two minds takes no new node.
    for (const node of [a, b, c]) {
      while (((await node?.cli('CLUSTER', 'NODES')) ?? '').includes('fail')) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    const id = (await b?.cli('CLUSTER', 'MYID')) ?? '';
    await spare?.cli(
      '--cluster',
      'add-node',
      `127.0.0.1:${spare.port}`,
      `127.0.0.1:${a?.port ?? 0}`,
      '--cluster-slave',
      '--cluster-master-id',
      id,
    );
    while (!((await spare?.cli('INFO', 'replication')) ?? '').includes('master_link_status:up')) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const directory = open(url, vnis);
    await up(directory);
    const lost = down(directory);
    const gap = change(directory, (one) => one.type === 'gap', 30_000);
    await b?.kill();
    await lost;
    await gap;
    await up(directory);
    const second = vnis[1] ?? 0;
    const heard = change(directory, names(second));
    await spare?.cli('SET', redisKey(second), VALUE);
    await heard;
    expect(await directory.read([key(second)])).toEqual([VALUE]);
  });
});

describe('a master found by sentinels', () => {
  it('is followed when another one takes over', async () => {
    const master = await startRedis();
    ends.push(() => master.kill());
    const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(master.port)] });
    ends.push(() => replica.kill());
    while (!(await replica.cli('INFO', 'replication')).includes('master_link_status:up')) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const sentinel = await startRedis({
      sentinel: [
        `sentinel monitor home 127.0.0.1 ${master.port} 1`,
        'sentinel down-after-milliseconds home 500',
        'sentinel failover-timeout home 2000',
      ],
    });
    ends.push(() => sentinel.kill());
    while (!(await sentinel.cli('SENTINEL', 'replicas', 'home')).includes(String(replica.port))) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await master.cli('SET', redisKey(100), VALUE);
    const directory = open(`redis+sentinel://127.0.0.1:${sentinel.port}/home`, [100]);
    await up(directory);
    expect(await directory.read([key(100)])).toEqual([VALUE]);
    const lost = down(directory);
    const gap = change(directory, (one) => one.type === 'gap', 60_000);
    // Told to elect, and asked again while it sees no replica fit for it yet: its own judgement of a dead master takes
    // anything from two seconds to minutes, and what is tested here is who follows.
    const elected = (): Promise<string> =>
      sentinel.cli('SENTINEL', 'failover', 'home').catch(() => 'not yet');
    while ((await elected()).trim() !== 'OK') {
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    while (
      !(await sentinel.cli('SENTINEL', 'get-master-addr-by-name', 'home')).includes(String(replica.port))
    ) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await master.kill();
    await lost;
    await gap;
    const heard = change(directory, names(100));
    await replica.cli('DEL', redisKey(100));
    await heard;
    // The feed may be there before the connection for lookups is; a lookup that fails is tried again, as for a miss.
    const read = (): Promise<readonly (string | null)[] | undefined> =>
      directory.read([key(100)]).catch(() => undefined);
    expect(await until('a lookup to be answered', read)).toEqual([null]);
  }, 90_000);
});

describe('sentinels with a password of their own', () => {
  let dir: string;
  let url: string;
  const ended: RedisServer[] = [];
  const file = (name: string, password: string): string => {
    writeFileSync(join(dir, name), `${password}\n`);
    return join(dir, name);
  };
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'missd-sentinel-'));
    const master = await startRedis({
      args: ['--requirepass', 'of the master'],
      cliArgs: ['-a', 'of the master'],
    });
    ended.push(master);
    const sentinel = await startRedis({
      sentinel: [
        `sentinel monitor home 127.0.0.1 ${master.port} 1`,
        'sentinel auth-pass home "of the master"',
        'requirepass "of the sentinel"',
        'user missd on >of-the-user +@all',
      ],
    });
    ended.push(sentinel);
    await master.cli('SET', redisKey(100), VALUE);
    url = `redis+sentinel://127.0.0.1:${sentinel.port}/home`;
  });
  afterAll(async () => {
    for (const server of ended) await server.kill();
    rmSync(dir, { recursive: true });
  });

  it('say that they want it, or that it is another', async () => {
    const passwordFile = file('master', 'of the master');
    const want = /^the sentinels of home of \S+ want a password \(--redis-sentinel-password-file\)$/;
    expect(await reasonOf(open(url, [100]))).toMatch(want);
    expect(await reasonOf(open(url, [100], { passwordFile }))).toMatch(want);
    const other = /^the sentinels of home of \S+ know another user name or password$/;
    for (const access of [
      { sentinelPasswordFile: passwordFile },
      { sentinelUser: 'missd', sentinelPasswordFile: file('sentinel', 'of the sentinel') },
    ])
      expect(await reasonOf(open(url, [100], { passwordFile, ...access }))).toMatch(other);
  });

  it('lead to the master with it, whose own is asked for as well', async () => {
    const passwordFile = file('master', 'of the master');
    const sentinelPasswordFile = file('sentinel', 'of the sentinel');
    expect(await reasonOf(open(url, [100], { sentinelPasswordFile }))).toBe(
      'the server wants a password (--redis-password-file)',
    );
    for (const access of [
      { sentinelPasswordFile },
      { sentinelUser: 'missd', sentinelPasswordFile: file('user', 'of-the-user') },
    ]) {
      const directory = open(url, [100], { passwordFile, ...access });
      await up(directory);
      expect(await directory.read([key(100)])).toEqual([VALUE]);
    }
  });
});

describe('TLS', () => {
  let dir: string;
  let server: RedisServer;
  let url: string;
  const at = (name: string): string => join(dir, name);
  const access = (): RedisAccess => ({ ca: at('ca.crt'), cert: at('client.crt'), key: at('client.key') });
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'missd-tls-'));
    makeCertificates(dir, 'ca', ['server', 'client']);
    const port = await freePort();
    const files = [
      '--tls-cert-file',
      at('server.crt'),
      '--tls-key-file',
      at('server.key'),
      '--tls-ca-cert-file',
      at('ca.crt'),
    ];
    server = await startRedis({ args: ['--tls-port', String(port), ...files] });
    url = `rediss://127.0.0.1:${port}`;
  });
  afterAll(async () => {
    await server.kill();
    rmSync(dir, { recursive: true });
  });

  it('is spoken, with the certificate of the client', async () => {
    await up(open(url, [100], access()));
    expect(await reasonOf(open(url, [100]))).toMatch(/^TLS with 127\.0\.0\.1:\d+ failed: .*certificate/);
    expect(await reasonOf(open(url, [100], { ca: at('ca.crt') }))).toMatch(
      /^TLS with 127\.0\.0\.1:\d+ failed: /,
    );
    expect(await reasonOf(open(url.replace('rediss', 'redis'), [100]))).toMatch(/not connected to 127/);
  });

  it.each(BEGINS)('carries one value that is huge and begins as %s', async (_, begin) => {
    const directory = open(url, [100], access());
    await up(directory);
    await meetsHugeValue(directory, server, 100, begin);
  });
});

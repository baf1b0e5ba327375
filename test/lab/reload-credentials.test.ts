/**
 * Passwords and certificates that are rotated under a daemon while a guest goes on asking: behind TLS, behind a Sentinel
 * and in a Cluster. The files change first and the servers after them, so every rotation begins with a refusal.
 */
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Daemon } from '../../src/lab/daemon.ts';
import { until } from '../../src/lab/wait.ts';
import { makeCertificates } from './certificates.ts';
import { Pair, arpBurst, booksBalance, close, counting, tellOnFailure } from './harness.ts';
import { startCluster } from './redis-cluster.ts';
import { freePort, type RedisServer, startRedis } from './redis-server.ts';

/** Each test has addresses of its own: entries outlive the daemon that wrote them. */
const MOST = 254;

let pair: Pair;
let daemon: Daemon;
let network = 0;
const servers: RedisServer[] = [];
tellOnFailure(() => pair);

const file = (name: string): string => join(pair.lab.directory, name);
const address = (n: number): string => `20.0.${network}.${n}`;
const up = (): Promise<number> => daemon.metric('missd_directory_up');

beforeAll(async () => {
  pair = await Pair.build({ noDaemons: true });
});
afterEach(async () => {
  await daemon.program.stop();
  for (const server of servers.splice(0).reverse()) await server.kill();
});
afterAll(() => close(pair));

/** A server that ends with the test. */
async function server(options: Parameters<typeof startRedis>[0]): Promise<RedisServer> {
  const started = await startRedis(options);
  servers.push(started);
  return started;
}

/** Records for all addresses of this test. */
async function publish(to: RedisServer): Promise<void> {
  network++;
  const numbers = Array.from({ length: MOST }, (_, index) => index + 1);
  await to.batch(
    ...numbers.map((n) => `SET missd:{100}:ip:${address(n)} "02:42:15:00:00:${hex(n)} 10.99.0.2"`),
  );
}
const hex = (n: number): string => n.toString(16).padStart(2, '0');

/** SIGHUP, and what the daemon says next that is like this. */
async function says(words: RegExp): Promise<string> {
  const before = daemon.log.length;
  daemon.program.signal('SIGHUP');
  return until(`the log to say ${String(words)}`, () =>
    daemon.log.slice(before).find((line) => words.test(line)),
  );
}

/** Connections to a server that this tells from others, by id. */
async function connections(to: RedisServer, which: string): Promise<string[]> {
  const list = await to.cli('CLIENT', 'LIST');
  return list.split('\n').flatMap((line) => (line.includes(which) ? (line.split(' ')[0] ?? []) : []));
}

/** None of the connections of before is left, and there are others. */
async function replaced(to: RedisServer, which: string, before: readonly string[]): Promise<void> {
  expect(before.length).toBeGreaterThan(0);
  await until(`other connections to port ${to.port}`, async () => {
    const now = await connections(to, which);
    return now.length > 0 && !now.some((id) => before.includes(id));
  });
}

/** A guest asks for one new address after another while something is done, and each is answered. */
async function askingThroughout(act: () => Promise<void>): Promise<void> {
  let [asked, over] = [0, false];
  const { since } = await counting(daemon, async () => {
    const asking = (async () => {
      for (; !over && asked < MOST; asked++) await arpBurst(pair.guest1, address(asked + 1));
    })();
    await until('the first answer', () => asked > 1);
    await act().finally(() => (over = true));
    await asking;
    await booksBalance(daemon);
  });
  expect(asked).toBeGreaterThan(2);
  const outcome = (name: string): number => since('missd_resolutions_total', { layer: 'l3', outcome: name });
  expect({ resolved: outcome('resolved'), failed: outcome('failed'), shed: outcome('shed') }).toEqual({
    ...{ resolved: asked, failed: 0, shed: 0 },
  });
}

test('a client certificate and CA that are rotated', async () => {
  const { directory } = pair.lab;
  for (const ca of ['old-ca', 'new-ca']) makeCertificates(directory, ca, [`${ca}-server`, `${ca}-client`]);
  const use = (ca: string, ...ends: string[]): void => {
    const from = {
      'ca.crt': `${ca}.crt`,
      'client.crt': `${ca}-client.crt`,
      'client.key': `${ca}-client.key`,
    };
    for (const [name, source] of Object.entries(from))
      if (ends.some((end) => name.endsWith(end))) copyFileSync(file(source), file(name));
  };
  const tls = (ca: string): string[] => [
    ...['tls-cert-file', file(`${ca}-server.crt`), 'tls-key-file', file(`${ca}-server.key`)],
    ...['tls-ca-cert-file', file(`${ca}.crt`)],
  ];
  const port = await freePort();
  const flags = tls('old-ca').map((word, index) => (index % 2 === 0 ? `--${word}` : word));
  const redis = await server({ args: ['--tls-port', String(port), ...flags] });
  await publish(redis);
  use('old-ca', 'crt', 'key');
  daemon = await pair.serve(pair.host1, [
    ...['--redis', `rediss://127.0.0.1:${port}`, '--redis-ca', file('ca.crt')],
    ...['--redis-cert', file('client.crt'), '--redis-key', file('client.key')],
  ]);
  const ours = `laddr=127.0.0.1:${port}`;
  const before = await connections(redis, ours);
  await askingThroughout(async () => {
    use('new-ca', 'crt');
    expect(await says(/SIGHUP/)).toContain('nothing is changed: --redis-key: not the key of the certificate');
    use('new-ca', 'key');
    await says(/is not taken, the old connection stays: TLS with .* failed/);
    expect(await connections(redis, ours)).toEqual(expect.arrayContaining(before));
    await redis.cli('CONFIG', 'SET', ...tls('new-ca'));
    await replaced(redis, ours, before);
  });
  expect(await up()).toBe(1);
});

test('passwords of a master and of its sentinel that are rotated', async () => {
  const master = await server({});
  const user = ['ACL', 'SETUSER', 'missd', 'resetpass', 'on', '~*', '&*', '+@all'];
  await master.cli(...user, '>old');
  const sentinel = await server({
    sentinel: [`sentinel monitor home 127.0.0.1 ${master.port} 1`, 'user missd on >old-too ~* &* +@all'],
  });
  await publish(master);
  writeFileSync(file('password'), 'old\n');
  writeFileSync(file('sentinel-password'), 'old-too\n');
  daemon = await pair.serve(pair.host1, [
    ...['--redis', `redis+sentinel://missd@127.0.0.1:${sentinel.port}/home`],
    ...['--redis-password-file', file('password'), '--redis-sentinel-user', 'missd'],
    ...['--redis-sentinel-password-file', file('sentinel-password')],
  ]);
  const before = await connections(master, 'user=missd');
  const beforeToo = await connections(sentinel, 'user=missd');
  await askingThroughout(async () => {
    writeFileSync(file('password'), 'new\n');
    writeFileSync(file('sentinel-password'), 'new-too\n');
    await says(/is not taken, the old connection stays: the sentinels of home .* know another/);
    await sentinel.cli(...user, '>new-too');
    await until('the master to refuse, too', () =>
      daemon.log.some((line) => line.includes('the old connection stays: wrong user name or password')),
    );
    expect(await connections(master, 'user=missd')).toEqual(expect.arrayContaining(before));
    await master.cli(...user, '>new');
    await replaced(master, 'user=missd', before);
    await replaced(sentinel, 'user=missd', beforeToo);
  });
  expect(await up()).toBe(1);
});

test('a password that is rotated in a cluster, node by node', async () => {
  const { nodes, url } = await startCluster();
  servers.push(...nodes);
  const user = ['ACL', 'SETUSER', 'missd', 'resetpass', 'on', '~*', '&*', '+@all'];
  for (const node of nodes) await node.cli(...user, '>old');
  const [first] = nodes;
  if (first === undefined) throw new Error('there is no node');
  await publish(first);
  writeFileSync(file('password'), 'old\n');
  const flags = ['--redis', url.replace('://', '://missd@'), '--redis-password-file', file('password')];
  daemon = await pair.serve(pair.host1, flags);
  const before = new Map<RedisServer, string[]>();
  for (const node of nodes) before.set(node, await connections(node, 'user=missd'));
  // The node that has the records is the last.
  const slot = Number(await first.cli('CLUSTER', 'KEYSLOT', 'missd:{100}:'));
  const owner = nodes[[5460, 10922, 16383].findIndex((last) => slot <= last)];
  const order = [...nodes.filter((node) => node !== owner), ...nodes.filter((node) => node === owner)];
  await askingThroughout(async () => {
    writeFileSync(file('password'), 'new\n');
    await says(/is not taken, the old connection stays: wrong user name or password/);
    for (const node of order) {
      for (const [of, ids] of before)
        expect(await connections(of, 'user=missd')).toEqual(expect.arrayContaining(ids));
      await node.cli(...user, '>new');
    }
    for (const [node, ids] of before) await replaced(node, 'user=missd', ids);
  });
  expect(await up()).toBe(1);
});

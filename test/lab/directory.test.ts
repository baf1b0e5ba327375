import { afterEach, describe, expect, it } from 'vitest';
import type { DirectoryChange, DirectoryState, RecordKey } from '../../src/directory/directory.ts';
import { parseRedisUrl } from '../../src/directory/redis/url.ts';
import { RedisDirectory } from '../../src/directory/redis/redis-directory.ts';
import { startProxy } from './stalling-proxy.ts';
import { first } from './first.ts';
import { freePort, type RedisServer, type RedisServerOptions, startRedis } from './redis-server.ts';

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function redis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const server = await startRedis(options);
  ends.push(() => server.kill());
  return server;
}

const fail = (error: unknown): never => {
  throw error;
};

interface Watched {
  directory: RedisDirectory;
  changes: DirectoryChange[];
  states: DirectoryState[];
  malformed: string[];
}

function directory(url: string, vnis: number[] = [100]): Watched {
  const malformed: string[] = [];
  const made = new RedisDirectory({
    target: parseRedisUrl(url),
    onMalformed: (vni, reason, example) => malformed.push(`${vni} ${reason} ${example}`),
  });
  const watched: Watched = { directory: made, changes: [], states: [], malformed };
  made.changes$.subscribe({ next: (change) => watched.changes.push(change), error: fail });
  made.state$.subscribe({ next: (state) => watched.states.push(state), error: fail });
  ends.push(() => made.close());
  void made.follow(new Set(vnis));
  made.start();
  return watched;
}

const up = ({ directory: { state$ } }: Watched, within?: number) =>
  first(state$, (state) => state.up, within);
const down = ({ directory: { state$ } }: Watched, reason: RegExp, within?: number) =>
  first(state$, (state) => !state.up && reason.test(state.reason), within);
const change = ({ directory: { changes$ } }: Watched, type: DirectoryChange['type'], within?: number) =>
  first(changes$, (one) => one.type === type, within);
/** The next change that names the record. */
const record = ({ directory: { changes$ } }: Watched, key: RecordKey) =>
  first(
    changes$,
    (one) =>
      one.type === 'records' &&
      one.keys.some(
        ({ vni, kind, address }) => vni === key.vni && kind === key.kind && address === key.address,
      ),
  );

const IP: RecordKey = { vni: 100, kind: 'ip', address: '20.0.0.2' };
const MAC: RecordKey = { vni: 100, kind: 'mac', address: '02:42:14:00:00:02' };
const VALUE = '02:42:14:00:00:02 10.99.0.2';

describe('a directory on one server', () => {
  it('reads in the order of the keys, however many', async () => {
    const server = await redis();
    await server.cli(
      'MSET',
      'missd:{100}:ip:20.0.0.2',
      VALUE,
      'missd:{100}:mac:02:42:14:00:00:02',
      '10.99.0.2',
    );
    await server.cli('SADD', 'missd:{100}:ip:20.0.0.9', 'of another type');
    const watched = directory(server.url);
    // Not only with the first periodic probe.
    await up(watched, 800);
    expect(watched.states[0]).toMatchObject({ up: false, reason: 'connecting' });
    const wrongType: RecordKey = { vni: 100, kind: 'ip', address: '20.0.0.9' };
    const absent: RecordKey = { vni: 100, kind: 'ip', address: '20.0.0.3' };
    expect(await watched.directory.read([absent, MAC, wrongType, IP])).toEqual([
      null,
      '10.99.0.2',
      null,
      VALUE,
    ]);
    expect(await watched.directory.read([])).toEqual([]);
    const many = Array.from({ length: 5000 }, (_, index) => (index % 7 === 0 ? IP : absent));
    expect(await watched.directory.read(many)).toEqual(many.map((key) => (key === IP ? VALUE : null)));
  });

  it('hears of SET, DEL, expiry and FLUSHDB by anyone, of followed VNIs only', async () => {
    const server = await redis();
    const watched = directory(server.url);
    await change(watched, 'gap');
    let heard = record(watched, IP);
    await server.cli('SET', 'missd:{101}:ip:20.0.0.2', VALUE);
    await server.cli('SET', 'other:{100}:ip:20.0.0.2', VALUE);
    await server.cli('SET', 'missd:{100}:ip:20.0.0.2', VALUE);
    await heard;
    heard = record(watched, IP);
    await server.cli('DEL', 'missd:{100}:ip:20.0.0.2');
    await heard;
    heard = record(watched, MAC);
    await server.cli('SET', 'missd:{100}:mac:02:42:14:00:00:02', '10.99.0.2', 'PX', '50');
    await heard;
    await record(watched, MAC);
    expect(await watched.directory.read([MAC])).toEqual([null]);
    const flushed = change(watched, 'flushed');
    await server.cli('FLUSHDB');
    await flushed;
    const keys = watched.changes.flatMap((one) => (one.type === 'records' ? one.keys : []));
    expect(keys).toEqual([IP, IP, MAC, MAC]);
  });

  it('hears of a hundred thousand changes', async () => {
    const server = await redis();
    const watched = directory(server.url);
    await change(watched, 'gap');
    const heard = record(watched, { vni: 100, kind: 'ip', address: '100000' });
    await server.cli('EVAL', "for i=1,100000 do redis.call('SET', 'missd:{100}:ip:'..i, 'x') end", '0');
    await heard;
    expect(watched.changes.flatMap((one) => (one.type === 'records' ? one.keys : []))).toHaveLength(100_000);
  });

  it('says gap when the feed was cut, after reading leases again', async () => {
    const server = await redis();
    const watched = directory(server.url);
    await change(watched, 'gap');
    const gap = change(watched, 'gap').then(() => watched.directory.leases(100).all());
    const lost = down(watched, /feed of changes/);
    // In one transaction, so that word of the lease is lost with the connection.
    await server.batch(
      'MULTI',
      'CLIENT KILL TYPE pubsub',
      'SADD missd:{100}:subnets 10.20.2.0/24',
      `SET missd:{100}:subnet:10.20.2.0/24 "${VALUE}"`,
      'EXEC',
    );
    await lost;
    expect(await gap).toHaveLength(1);
    expect(watched.states.at(-1)).toEqual({ up: true });
  });
});

describe('leases', () => {
  it('are kept current', async () => {
    const server = await redis();
    await server.cli('SADD', 'missd:{100}:subnets', '10.20.2.0/24', '10.20.3.0/24');
    await server.cli('SET', 'missd:{100}:subnet:10.20.2.0/24', VALUE);
    const watched = directory(server.url);
    await up(watched);
    const leases = () => watched.directory.leases(100);
    expect(leases().all()).toEqual([{ cidr: '10.20.2.0/24', value: VALUE }]);
    expect(leases().covering('10.20.2.7')?.value).toBe(VALUE);
    let changed = change(watched, 'leases');
    await server.cli('SET', 'missd:{100}:subnet:10.20.3.0/24', '02:f0:00:00:00:03 10.99.0.3');
    await changed;
    expect(leases().covering('10.20.3.7')?.value).toBe('02:f0:00:00:00:03 10.99.0.3');
    changed = change(watched, 'leases');
    await server.cli('SREM', 'missd:{100}:subnets', '10.20.3.0/24');
    await changed;
    expect(leases().covering('10.20.3.7')).toBeUndefined();
    changed = change(watched, 'leases');
    await server.cli('PEXPIRE', 'missd:{100}:subnet:10.20.2.0/24', '20');
    await changed;
    expect(leases().all()).toEqual([]);
  });

  it('that say nothing new are no change, and malformed ones do not count', async () => {
    const server = await redis();
    await server.cli('SADD', 'missd:{100}:subnets', '10.20.2.0/24', '10.20.3.1/24', 'junk');
    await server.cli(
      'MSET',
      'missd:{100}:subnet:10.20.3.1/24',
      VALUE,
      'missd:{100}:subnet:10.20.2.0/24',
      VALUE,
    );
    const watched = directory(server.url);
    await up(watched);
    expect(watched.directory.leases(100).all()).toHaveLength(1);
    expect(watched.malformed).toContain(`100 cidr missd:{100}:subnet:10.20.3.1/24 = ${VALUE}`);
    const before = watched.changes.filter((one) => one.type === 'leases').length;
    await server.cli('SET', 'missd:{100}:subnet:10.20.2.0/24', VALUE, 'EX', '100');
    const changed = change(watched, 'leases');
    await server.cli('SET', 'missd:{100}:subnet:10.20.2.0/24', `${VALUE} router`);
    await changed;
    expect(watched.directory.leases(100).all()).toEqual([]);
    expect(watched.changes.filter((one) => one.type === 'leases')).toHaveLength(before + 1);
  });

  it('of a VNI followed later are read, and of one no longer followed forgotten', async () => {
    const server = await redis();
    await server.cli('SADD', 'missd:{200}:subnets', '10.20.2.0/24');
    await server.cli('SET', 'missd:{200}:subnet:10.20.2.0/24', VALUE);
    const watched = directory(server.url);
    await up(watched);
    expect(watched.directory.leases(200).all()).toEqual([]);
    await watched.directory.follow(new Set([200]));
    expect(watched.directory.leases(200).all()).toHaveLength(1);
    await watched.directory.follow(new Set([100]));
    expect(watched.directory.leases(200).all()).toEqual([]);
    expect(watched.states.filter((state) => !state.up).map((state) => state.reason)).toEqual(['connecting']);
  });

  it('that cannot be read keep the directory down, and following does not wait for it', async () => {
    const port = await freePort();
    const watched = directory(`redis://127.0.0.1:${port}`);
    await watched.directory.follow(new Set([100]));
    await redis({ port, args: '--user default on nopass ~* &* +@all -sscan -smembers'.split(' ') });
    await down(watched, /leases cannot be read: not permitted: .*smembers/);
  });
});

describe('a lost server', () => {
  it.each(['freeze', 'kill'] as const)('is noticed and found again: %s', async (how) => {
    const server = await redis();
    const watched = directory(server.url);
    await change(watched, 'gap');
    const lost = first(watched.directory.state$, (state) => !state.up, 3000);
    const at = performance.now();
    if (how === 'kill') await server.kill();
    else server.freeze();
    await expect(watched.directory.read([IP])).rejects.toThrow(/no answer|not connected/);
    expect(performance.now() - at).toBeLessThan(1000);
    const state = await lost;
    expect(state).toMatchObject({
      reason: expect.stringMatching(/no answer|not connected|refused/) as unknown,
    });
    if (how === 'kill') await down(watched, /connection refused by 127.0.0.1/);
    // A feed that was only slow has lost nothing.
    const back = how === 'kill' ? change(watched, 'gap') : up(watched);
    if (how === 'kill') await redis({ port: server.port });
    else server.thaw();
    await back;
    await up(watched);
    expect(await watched.directory.read([IP])).toEqual([null]);
  });

  it('that is frozen is noticed without a single read', async () => {
    const server = await redis();
    const watched = directory(server.url);
    await up(watched);
    server.freeze();
    await down(watched, /no answer from/, 3000);
    server.thaw();
    await up(watched);
  });

  it.each([
    ['the feed', 'tracking', /feed of changes is down: no answer/],
    ['the reader', 'sscan', /^no answer/],
    ['the connection for lookups', 'mget', /^no answer/],
  ])('of which only %s is silently dead is noticed', async (_, sent, reason) => {
    const server = await redis();
    const proxy = await startProxy(server.port);
    ends.push(() => proxy.close());
    const watched = directory(`redis://127.0.0.1:${proxy.port}`);
    await change(watched, 'gap');
    await watched.directory.read([IP]);
    const lost = down(watched, reason, 3000);
    expect(proxy.stall(sent)).toBe(1);
    // Lost with the connection; the gap that follows makes up for it.
    await server.cli('SADD', 'missd:{100}:subnets', '10.20.2.0/24');
    await server.cli('SET', 'missd:{100}:subnet:10.20.2.0/24', VALUE);
    await lost;
    await up(watched);
    expect(watched.directory.leases(100).all()).toHaveLength(1);
  });

  it.each([
    ['what Redis never says', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['an answer to no question', '*1\r\n$1\r\nx\r\n'],
    ['an answer that never ends', '*2\r\n$1\r\nx\r\n'],
  ])('that says %s is asked anew on another connection', async (_, text) => {
    const server = await redis();
    await server.cli('SADD', 'missd:{100}:subnets', '10.20.2.0/24');
    await server.cli('SET', 'missd:{100}:ip:20.0.0.2', VALUE);
    const proxy = await startProxy(server.port);
    ends.push(() => proxy.close());
    const watched = directory(`redis://127.0.0.1:${proxy.port}`);
    await up(watched);
    const lost = first(watched.directory.state$, (state) => !state.up, 3000);
    expect(proxy.say('mget', text)).toBe(1);
    // With the next PING at the latest.
    await lost;
    await up(watched, 3000);
    expect(await watched.directory.read([IP])).toEqual([VALUE]);
    // The feed has missed nothing.
    expect(watched.changes.filter(({ type }) => type === 'gap')).toHaveLength(1);
  });

  it('is not taken for one by a process that was busy when the answer came', async () => {
    const server = await redis();
    await server.cli('SET', 'missd:{100}:ip:20.0.0.2', VALUE);
    const watched = directory(server.url);
    await up(watched);
    const read = watched.directory.read([IP]);
    const until = performance.now() + 300;
    while (performance.now() < until);
    expect(await read).toEqual([VALUE]);
  });

  it('never was there: start does not throw and reads fail at once', async () => {
    const port = await freePort();
    const watched = directory(`redis://127.0.0.1:${port}`);
    await down(watched, /connection refused by 127\.0\.0\.1:/);
    await expect(watched.directory.read([IP])).rejects.toThrow(/not connected to 127\.0\.0\.1/);
    await redis({ port });
    await up(watched);
    expect(watched.changes.at(-1)).toEqual({ type: 'gap' });
  });
});

describe('what is wrong is said', () => {
  it.each([
    ['redis://:wrong@', ['--requirepass', 'right'], /^wrong user name or password$/],
    ['redis://', ['--requirepass', 'right'], /wants a password/],
    ['redis://nobody:x@', [], /^wrong user name or password$/],
    [
      'redis://u:x@',
      '--user u on >x ~missd:* &* +@all -client|tracking'.split(' '),
      /feed of changes is down: not permitted/,
    ],
    [
      'redis://u:x@',
      '--user u on >x ~missd:* resetchannels +@all'.split(' '),
      /feed of changes is down: not permitted/,
    ],
    ['redis://', ['--databases', '1'], /^no database 3/],
  ] as const)('%s with %j', async (scheme, args, reason) => {
    const server = await redis({ args: [...args] });
    const watched = directory(`${scheme}127.0.0.1:${server.port}${args[0] === '--databases' ? '/3' : ''}`);
    await down(watched, reason);
    expect(watched.states.every((state) => !state.up)).toBe(true);
  });

  it('and what suffices is enough', async () => {
    const acl =
      'missd on >x %R~missd:* &__redis__:invalidate -@all +mget +sscan +ping +subscribe +client|id +client|tracking';
    const server = await redis({ args: `--user ${acl}`.split(' ') });
    await up(directory(`redis://missd:x@127.0.0.1:${server.port}`));
  });
});

it('a socket will do', async () => {
  const server = await redis({ unixsocket: true });
  const watched = directory(server.url);
  await up(watched);
  await server.kill();
  await down(watched, /no socket at|connection refused/);
});

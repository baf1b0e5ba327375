import { describe, expect, test } from 'vitest';
import { judgeClock } from '../../../src/doctor/clock.ts';
import { judgeRedis } from '../../../src/doctor/directory.ts';
import type { Finding } from '../../../src/doctor/finding.ts';
import { redisCli } from '../../../src/inspect/redis-cli.ts';
import { type RedisFacts, parseInfo } from '../../../src/doctor/redis.ts';
import { quoted } from '../../../src/screen/shell.ts';
import { parseRedisUrl } from '../../../src/directory/redis/url.ts';

const TARGET = parseRedisUrl('redis://10.0.0.5:6380/2');

const INFO = {
  redis_version: '7.0.15',
  role: 'master',
  maxmemory: '0',
  maxmemory_policy: 'noeviction',
  used_memory: '1000',
  aof_enabled: '1',
  rdb_last_bgsave_status: 'ok',
  aof_last_write_status: 'ok',
  cluster_enabled: '0',
  connected_slaves: '0',
};

const facts = (info: Record<string, string> = {}, rest: Partial<RedisFacts> = {}): RedisFacts => ({
  info: new Map(Object.entries({ ...INFO, ...info })),
  refused: [],
  roundTrips: [0.1, 0.2, 0.3],
  clock: { ahead: 0, within: 0.1 },
  kind: 'one',
  ...rest,
});

const told = (findings: readonly Finding[]): string[] =>
  findings.filter(({ level }) => level !== 'ok').map(({ level, check }) => `${level} ${check}`);

describe('judgeRedis', () => {
  test.each<[what: string, facts: RedisFacts | string, expected: string[]]>([
    ['one that is well', facts(), []],
    ['an old version', facts({ redis_version: '5.0.14' }), ['broken version']],
    ['a node of a cluster', facts({ cluster_enabled: '1' }), ['broken cluster']],
    ['a cluster', facts({ cluster_enabled: '1' }, { kind: 'cluster' }), []],
    ['a cluster with holes', facts({ cluster_state: 'fail' }, { kind: 'cluster' }), ['broken cluster-state']],
    [
      'a replica',
      facts({ role: 'slave', master_link_status: 'up', master_host: 'm', master_port: '6379' }),
      ['warning replica'],
    ],
    ['a replica alone', facts({ role: 'slave', master_link_status: 'down' }), ['broken replica-link']],
    ['eviction', facts({ maxmemory_policy: 'allkeys-lru', maxmemory: '2000' }), ['warning eviction']],
    ['eviction without a limit', facts({ maxmemory_policy: 'volatile-ttl' }), ['warning eviction']],
    ['memory nearly full', facts({ maxmemory: '1050' }), ['warning memory']],
    ['room', facts({ maxmemory: '2000' }), []],
    ['no persistence', facts({ aof_enabled: '0' }, { save: '' }), ['warning persistence']],
    ['snapshots', facts({ aof_enabled: '0' }, { save: '3600 1' }), []],
    ['persistence without CONFIG', facts({ aof_enabled: '0' }), []],
    [
      'replicas have it',
      facts({ aof_enabled: '0', connected_slaves: '1' }, { save: '' }),
      ['note persistence'],
    ],
    ['a disk that is full', facts({ rdb_last_bgsave_status: 'err' }), ['broken persistence-failed']],
    ['far away', facts({}, { roundTrips: [1, 30, 31] }), ['warning latency']],
    ['one late answer', facts({}, { roundTrips: [1, 2, 500] }), []],
    ['no INFO', facts({}, { info: new Map(), infoRefused: 'no permissions' }), ['note info']],
    ['no DBSIZE', facts({}, { refused: [{ command: 'dbsize', reason: '' }] }), ['note rights']],
    ['no MGET', facts({}, { refused: [{ command: 'mget', reason: '' }] }), ['broken rights']],
    ['a refused connection', 'connection refused by 10.0.0.5:6380', ['broken unreachable']],
    ['a wrong password', 'wrong user name or password', ['broken credentials']],
    ['no password', 'the server wants a password (--redis-password-file)', ['broken credentials']],
  ])('%s', (_, found, expected) => {
    const findings = judgeRedis(TARGET, found, 'missd');
    expect(told(findings)).toEqual(expected);
    for (const one of findings.filter(({ level }) => level === 'broken' || level === 'warning')) {
      expect(one.why).toBeTruthy();
      expect(one.fix?.length).toBeGreaterThan(0);
    }
  });

  test('INFO is parsed with any line ends', () => {
    expect(parseInfo('# Server\r\nredis_version:7.0.15\r\nos:Linux 6.1: x\r\n').get('os')).toBe(
      'Linux 6.1: x',
    );
  });
});

describe('redisCli', () => {
  test.each([
    ['redis://127.0.0.1:6379', 'redis-cli PING'],
    ['redis://10.0.0.5:6380/2', 'redis-cli -h 10.0.0.5 -p 6380 -n 2 PING'],
    ['/run/redis.sock', 'redis-cli -s /run/redis.sock PING'],
    ['rediss://me:secret@h:1', 'redis-cli -h h -p 1 --tls --user me --askpass PING'],
    ['redis+cluster://a:1,b:2', 'redis-cli -h a -p 1 -c PING'],
  ])('%s', (url, expected) => {
    expect(redisCli(parseRedisUrl(url), 'PING')).toBe(expected);
  });

  test('each word is quoted as one word', () => {
    expect(quoted('missd:{1}:ip:x')).toBe("'missd:{1}:ip:x'");
    expect(quoted("a'b' $(c)")).toBe(`'a'\\''b'\\'' $(c)'`);
    expect(quoted('')).toBe("''");
  });
});

test.each([
  [0, 'ok'],
  [900, 'ok'],
  [-5_000, 'note'],
  [61_000, 'warning'],
  [-3_600_000, 'warning'],
])('a clock that is %i ms ahead: %s', (ahead, level) => {
  expect(judgeClock({ ahead, within: 1 })).toMatchObject([{ level }]);
});

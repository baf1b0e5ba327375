/** Directories in which one thing is wrong, as doctor sees them from a host that is well. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../src/lab/command.ts';
import type { Host } from '../../src/lab/host.ts';
import { RedisServer } from '../../src/lab/redis-server.ts';
import { until } from '../../src/lab/wait.ts';
import { type Examined, doctorArgv, examine, isOfTheMachine } from './doctor.ts';
import { Pair, close } from './harness.ts';

let pair: Pair;
let host: Host;
beforeAll(async () => {
  pair = await Pair.build({ noDaemons: true });
  host = pair.host1;
  await pair.redis.cli('CONFIG', 'SET', 'appendonly', 'yes');
  await pair.publishGuests(pair.guest1, pair.guest2);
});
afterAll(() => close(pair));

/** Each beside the others: what is said of one must not hide the next. */
const SPOILT: [what: string, name: string, says: RegExp, ...command: string[]][] = [
  [
    'a key of the wrong type',
    'records/type',
    /^key missd:\{100\}:ip:20\.0\.0\.9 is a hash, and should be a string/,
    ...['HSET', 'missd:{100}:ip:20.0.0.9', 'mac', '02:42:14:00:00:09'],
  ],
  [
    'a set that is none',
    'records/type',
    /is a string, and should be a set/,
    ...['SET', 'missd:{101}:subnets', 'x'],
  ],
  ['a VNI without braces', 'records/key', /without braces/, ...['SET', 'missd:100:ip:20.0.0.9', 'x']],
  ['a VNI that is none', 'records/key', /no VNI from 1/, ...['SET', 'missd:{x}:ip:20.0.0.9', 'x']],
  ['a word that is none', 'records/key', /none of ip:/, ...['SET', 'missd:{100}:endpoint:20.0.0.9', 'x']],
  [
    'an address in capitals',
    'records/key',
    /canonical/,
    ...['SET', 'missd:{100}:ip:FD20::9', '02:42:14:00:00:09 10.99.0.2'],
  ],
  [
    'values that are none',
    'records/value',
    /not of the right form \("nonsense"\)/,
    ...['SET', 'missd:{100}:ip:20.0.0.10', 'nonsense'],
  ],
  [
    'a VTEP of the other family',
    'records/value',
    /another family/,
    ...['SET', 'missd:{100}:ip:20.0.0.11', '02:42:14:00:00:09 fd99::2'],
  ],
  [
    'a lease that is not listed',
    'records/unlisted',
    /lease 10\.20\.2\.0\/24/,
    ...['SET', 'missd:{100}:subnet:10.20.2.0/24', '02:f0:00:00:00:02 10.99.0.2'],
  ],
];

describe('records that do not count', () => {
  let examined: Examined;
  beforeAll(async () => {
    for (const [, , , ...command] of SPOILT) await pair.redis.cli(...command);
    examined = await examine(pair, host);
    await pair.redis.cli('DEL', ...SPOILT.map(([, , , , key = '']) => key));
  });

  test.each(SPOILT)('%s', (_, name, says) => {
    const found = examined.findings.find(
      ({ group, check, what }) => `${group}/${check}` === name && says.test(what),
    );
    expect(found?.level).toBe(name === 'records/type' ? 'broken' : 'warning');
    expect(found?.fix?.[0]).toContain(`redis-cli -s ${pair.redis.socket}`);
  });

  test('nothing is said once they are gone', async () => {
    expect((await examine(pair, host)).named('warning').filter((one) => !isOfTheMachine(one))).toEqual([]);
  });

  test('one MAC at two VTEPs, and no mac: record to decide', async () => {
    await pair.publish(
      ['missd:{100}:ip:20.0.0.31', '02:42:14:00:00:31 10.99.0.1'],
      ['missd:{100}:ip:20.0.0.32', '02:42:14:00:00:31 10.99.0.2'],
    );
    const { find, code } = await examine(pair, host);
    expect(find('owners/vteps')?.what).toContain('10.99.0.1 and 10.99.0.2');
    expect(code).toBe(0);
    await pair.redis.cli('DEL', 'missd:{100}:ip:20.0.0.31', 'missd:{100}:ip:20.0.0.32');
  });

  test('what a record says cannot steer a terminal, nor a shell that its key is pasted into', async () => {
    const evil = "missd:{100}:\u001b[31m'; touch /tmp/pwned; '";
    await pair.redis.commands([`SET ${JSON.stringify(evil).replace('\\u001b', '\\x1b')} x`]);
    const outcome = await run([...doctorArgv(pair, host), '--redis', pair.redis.socket]);
    expect(outcome).toContain('none of ip:');
    expect(outcome).not.toContain('\u001b');
    const { find } = await examine(pair, host);
    const words = await run([
      'sh',
      '-c',
      `set -- ${find('records/key')?.fix?.[0] ?? ''}; printf '%s\\n' "$#"`,
    ]);
    // redis-cli -s SOCKET DEL KEY
    expect(words.trim()).toBe('5');
    await pair.redis.commands([`DEL ${JSON.stringify(evil).replace('\\u001b', '\\x1b')}`]);
  });
});

describe('a server that forgets', () => {
  test.each([
    [
      'an eviction policy',
      'directory/eviction',
      ['maxmemory-policy', 'allkeys-lru'],
      ['maxmemory-policy', 'noeviction'],
    ],
    ['no persistence', 'directory/persistence', ['appendonly', 'no'], ['appendonly', 'yes']],
  ])('%s', async (_, name, spoil, mend) => {
    await pair.redis.cli('CONFIG', 'SET', ...spoil);
    const { find, code, named } = await examine(pair, host);
    expect(named('warning').filter((one) => !isOfTheMachine(one))).toEqual([name]);
    expect(code).toBe(0);
    expect(find(name)?.fix?.[0]).toBe(`redis-cli -s ${pair.redis.socket} CONFIG SET ${mend.join(' ')}`);
    await run(['sh', '-c', find(name)?.fix?.[0] ?? 'false']);
    expect((await examine(pair, host)).named('warning').filter((one) => !isOfTheMachine(one))).toEqual([]);
  });
});

describe('a server that does not let missd do what it must', () => {
  /** On a port, since a socket's address has no place for a user. */
  let other: RedisServer;
  const url = (user: string): string => `redis://${user}@127.0.0.1:${PORT}`;
  const PORT = 16_379;
  beforeAll(async () => {
    other = await RedisServer.start(pair.lab, 'other', {
      tcp: { namespace: pair.host1.namespace, address: '127.0.0.1', port: PORT },
      args: ['--appendonly', 'yes'],
    });
  });
  afterEach(async () => {
    await other.cli('ACL', 'DELUSER', 'missd');
  });
  const asUser = async (...rights: string[]) => {
    await other.cli('ACL', 'SETUSER', 'missd', 'on', '>secret', ...rights);
    const { path } = host.namespace;
    return examine(pair, host, {
      directory: ['--redis', url('missd:secret')],
      under: ['nsenter', `--net=${path}`],
    });
  };

  test('a user without the rights: named with the command that gives them', async () => {
    const { find, code } = await asUser(
      '~missd:*',
      '&__redis__:invalidate',
      '+ping',
      '+mget',
      '+time',
      '+select',
    );
    expect(code).toBe(1);
    const { what, fix: [fix = ''] = [] } = find('directory/rights') ?? {};
    expect(what).toBe('user missd may not: getrange, scan, sscan, dbsize, client|id, subscribe');
    for (const right of [
      '+scan',
      '+sscan',
      '+getrange',
      '+client|id',
      '+subscribe',
      '~missd:*',
      '&__redis__:invalidate',
    ])
      expect(fix).toContain(right);
  });

  test('a user with just what it needs: no fault', async () => {
    const rights = ['+ping', '+mget', '+getrange', '+scan', '+sscan', '+dbsize', '+time', '+select'];
    const feed = ['+client|id', '+client|tracking', '+subscribe', '+type', '+info', '+acl|whoami'];
    const { named, code } = await asUser('~missd:*', '&__redis__:invalidate', ...rights, ...feed);
    expect(named('broken')).toEqual([]);
    expect(code).toBe(0);
  });

  test('a wrong password', async () => {
    await asUser('~*', '+@all');
    await other.cli('ACL', 'SETUSER', 'missd', 'on', '>secret', '~*', '+@all');
    const { find, code } = await examine(pair, host, {
      directory: ['--redis', url('missd:guess')],
      under: ['nsenter', `--net=${host.namespace.path}`],
    });
    expect(code).toBe(1);
    expect(find('directory/credentials')?.what).toContain('wrong user name or password');
    expect(JSON.stringify(find('directory/credentials'))).not.toContain('guess');
  });
});

test("a clock that is not the directory's", async () => {
  const { find, code } = await examine(pair, host, {
    // Debian's libfaketime; ld.so knows the directory of the architecture.
    env: { LD_PRELOAD: '/usr/$LIB/faketime/libfaketimeMT.so.1', FAKETIME: '+600s', DONT_FAKE_MONOTONIC: '1' },
  });
  expect(find('clock/skew')).toMatchObject({ level: 'warning' });
  expect(find('clock/skew')?.what).toContain('10 min ahead of');
  expect(code).toBe(0);
});

describe('a file as directory', () => {
  const file = (): string => join(pair.lab.directory, 'directory.yaml');

  test('that is well-formed', async () => {
    writeFileSync(
      file(),
      'vnis:\n  100:\n    endpoints:\n      - { ip: 20.0.0.2, mac: "02:42:14:00:00:02", vtep: 10.99.0.2 }\n',
    );
    const { find, named } = await examine(pair, host, { directory: ['--directory', file()] });
    expect(named('warning').filter((one) => !isOfTheMachine(one))).toEqual([]);
    expect(find('directory/file')?.level).toBe('ok');
    expect(find('underlay/routes')?.what).toContain('1 other host');
  });

  test('that is not', async () => {
    writeFileSync(file(), 'vnis:\n  100:\n    endpoints:\n      - { ip: 20.0.0.300 }\n');
    const { find, code } = await examine(pair, host, { directory: ['--directory', file()] });
    expect(code).toBe(1);
    expect(find('directory/file')?.what).toContain(`${file()}:4`);
  });
});

test('without privileges it says what it could not see, and does not fail for that alone', async () => {
  const { find, code, named } = await examine(pair, host, {
    under: ['setpriv', '--bounding-set=-all', '--inh-caps=-all', '--ambient-caps=-all'],
  });
  expect(find('privileges/capabilities')?.what).toContain('CAP_NET_ADMIN');
  expect(find('kernel/tried')?.what).toContain('not tried');
  expect(find('devices/namespace')?.what).toContain('could not be entered');
  expect(named('broken')).toEqual([]);
  expect(code).toBe(0);
});

test('a directory that is down', async () => {
  await pair.redis.stop();
  const { find, code } = await examine(pair, host);
  expect(code).toBe(1);
  expect(find('directory/unreachable')).toMatchObject({ level: 'broken' });
  expect(find('directory/unreachable')?.what).toContain(`no socket at ${pair.redis.socket}`);
  await pair.redis.start();
});

test.each(['SIGINT', 'SIGKILL'] as const)('ended by %s it leaves nothing behind', async (signal) => {
  const mark = `MISSD_DOCTOR_TEST_${process.pid}_${signal}`;
  const [file = '', ...args] = doctorArgv(pair, host);
  const child = spawn(file, args, { env: { ...process.env, [mark]: '1' }, stdio: 'ignore' });
  const ended = once(child, 'exit');
  // The namespace is there as soon as somebody holds it; on a slow machine it may be over before that is seen.
  const held = (): boolean => marked(mark).some(({ words }) => words.includes('cat'));
  await until('the namespace to be tried in', () => held() || child.exitCode !== null, { every: 1 });
  child.kill(signal);
  await ended;
  await until('what it started to end', () => marked(mark).length === 0);
});

/** Processes that inherited a mark. */
function marked(mark: string): { words: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        if (!readFileSync(`/proc/${pid}/environ`, 'latin1').includes(mark)) return [];
        return [{ words: readFileSync(`/proc/${pid}/cmdline`, 'latin1') }];
      } catch {
        // Gone meanwhile.
        return [];
      }
    });
}

import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseRedisUrl } from '../../../../src/directory/redis/url.ts';
import { CERTIFICATE, KEY } from '../../fake/certificate.ts';

let dir: string;
const at = (name: string) => join(dir, name);
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'missd-url-'));
  writeFileSync(at('password'), 'se cret\n');
  writeFileSync(at('empty'), '\n');
  writeFileSync(at('pem'), 'PEM');
  writeFileSync(at('certificate'), CERTIFICATE);
  writeFileSync(at('key'), KEY);
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  writeFileSync(at('other-key'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
});
afterAll(() => {
  rmSync(dir, { recursive: true });
});

describe('a Redis address', () => {
  it.each([
    [
      'redis://127.0.0.1:6379',
      { kind: 'server', address: { host: '127.0.0.1', port: 6379 } },
      '127.0.0.1:6379',
    ],
    [
      'redis://db.example',
      { kind: 'server', address: { host: 'db.example', port: 6379 } },
      'db.example:6379',
    ],
    ['redis://[::1]:7000/', { kind: 'server', address: { host: '::1', port: 7000 } }, '[::1]:7000'],
    ['/run/redis.sock', { kind: 'socket', path: '/run/redis.sock' }, '/run/redis.sock'],
    ['unix:///run/redis.sock', { kind: 'socket', path: '/run/redis.sock' }, '/run/redis.sock'],
    [
      'redis+sentinel://h1,h2:5/the%20master',
      {
        kind: 'sentinel',
        sentinels: [
          { host: 'h1', port: 26379 },
          { host: 'h2', port: 5 },
        ],
        master: 'the master',
      },
      'the master of h1:26379,h2:5',
    ],
    [
      'redis+cluster://h1:1,[2001:db8::1]:2',
      {
        kind: 'cluster',
        nodes: [
          { host: 'h1', port: 1 },
          { host: '2001:db8::1', port: 2 },
        ],
      },
      'h1:1,[2001:db8::1]:2',
    ],
  ])('%s', (text, where, name) => {
    expect(parseRedisUrl(text)).toEqual({ where, db: 0, name });
  });

  it('with user, password and database', () => {
    expect(parseRedisUrl('redis://me:p%40ss:w@h:1/3')).toMatchObject({
      username: 'me',
      password: 'p@ss:w',
      db: 3,
    });
    expect(parseRedisUrl('redis://:pw@h')).not.toHaveProperty('username');
    expect(parseRedisUrl('redis+sentinel://u:p@h/m/2')).toMatchObject({
      username: 'u',
      password: 'p',
      db: 2,
      name: 'm of h:26379',
    });
    expect(parseRedisUrl('redis://me@h', { passwordFile: at('password') })).toMatchObject({
      username: 'me',
      password: 'se cret',
    });
    expect(parseRedisUrl('/run/r.sock', { passwordFile: at('password') })).toMatchObject({
      password: 'se cret',
    });
  });

  it('of sentinels that have a password of their own', () => {
    const own = { sentinelUser: 'watcher', sentinelPasswordFile: at('password') };
    expect(parseRedisUrl('redis+sentinel://h1/m', own)).toMatchObject({
      where: { kind: 'sentinel', username: 'watcher', password: 'se cret' },
    });
    expect(
      parseRedisUrl('redis+sentinel://u:p@h1/m', { sentinelPasswordFile: at('password') }),
    ).toMatchObject({
      username: 'u',
      password: 'p',
      where: { password: 'se cret' },
    });
  });

  it('with TLS', () => {
    expect(parseRedisUrl('rediss://h').tls).toEqual({});
    const files = { ca: at('certificate'), cert: at('certificate'), key: at('key') };
    const [certificate, key] = [CERTIFICATE, KEY].map((text) => Buffer.from(text));
    expect(parseRedisUrl('rediss+cluster://h', files).tls).toEqual({
      ca: certificate,
      cert: certificate,
      key,
    });
  });

  // One of a pair is written before the other, and either may be read half-written.
  it('with TLS files that cannot be used', () => {
    const good = { ca: at('certificate'), cert: at('certificate'), key: at('key') };
    for (const [option, file, reason] of [
      ['ca', 'pem', 'not a certificate in PEM'],
      ['cert', 'pem', 'not a certificate in PEM'],
      ['key', 'pem', 'not the key of the certificate'],
      ['key', 'other-key', 'not the key of the certificate'],
    ] as const)
      expect(() => parseRedisUrl('rediss://h', { ...good, [option]: at(file) })).toThrow(
        `--redis-${option}: ${reason}`,
      );
  });

  it.each([
    ['', {}, /expected redis:/],
    ['http://h', {}, /expected redis:/],
    ['h:6379', {}, /expected redis:/],
    ['redis://', {}, /"" is not HOST:PORT/],
    ['redis://h:0', {}, /"h:0" is not HOST:PORT/],
    ['redis://h:65536', {}, /is not HOST:PORT/],
    ['redis://::1:6379', {}, /is not HOST:PORT/],
    ['redis://h1,h2', {}, /several addresses need/],
    ['redis+sentinel://h1,h2', {}, /name of the master/],
    ['redis+cluster://h1,h2/3', {}, /database 0 only/],
    ['redis://h/x', {}, /not a database number/],
    ['redis://h/1/2', {}, /too many parts/],
    ['redis://u:%zz@h', {}, /percent/],
    ['redis://u:secret@h1,h2', {}, /several addresses/],
    ['redis://h', { ca: 'ca.pem' }, /--redis-ca: only with TLS/],
    ['rediss://h', { cert: 'c.pem' }, /go together/],
    [
      'rediss://h',
      { ca: '/nonexistent/ca.pem' },
      /--redis-ca: cannot read \/nonexistent\/ca\.pem: no such file/,
    ],
    ['redis://u:secret@h', { passwordFile: 'x' }, /has a password already/],
    [
      'redis://h',
      { sentinelPasswordFile: 'x' },
      /--redis-sentinel-password-file: only with a redis\+sentinel/,
    ],
    ['/run/r.sock', { sentinelUser: 'x' }, /--redis-sentinel-user: only with a redis\+sentinel/],
    ['redis+sentinel://h/m', { sentinelUser: 'x' }, /--redis-sentinel-user: goes together with/],
    ['redis+sentinel://h/m', { sentinelPasswordFile: '/nonexistent' }, /sentinel-password-file: cannot read/],
    ['redis://h', { passwordFile: '/nonexistent' }, /--redis-password-file: cannot read/],
  ])('%s %j is refused', (text, access, reason) => {
    let message = '';
    try {
      parseRedisUrl(text, access);
    } catch (error) {
      message = (error as Error).message;
      expect(error).toHaveProperty('name', 'UsageError');
    }
    expect(message).toMatch(reason);
    expect(message).not.toMatch(/secret|\n/);
  });

  it('an empty password file is a mistake', () => {
    expect(() => parseRedisUrl('redis://h', { passwordFile: at('empty') })).toThrow('the file is empty');
  });
});

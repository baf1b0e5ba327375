/** `--redis` and what goes with it, as a target to connect to. Nothing here connects. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { DirectoryOptions } from '../options.ts';
import { UsageError } from '../../base/errors.ts';

export interface RedisAddress {
  host: string;
  port: number;
}

/** Files named on the command line; read once, at start. */
export interface RedisAccess {
  passwordFile?: string | undefined;
  /** Of the sentinels, which have users of their own. */
  sentinelUser?: string | undefined;
  sentinelPasswordFile?: string | undefined;
  ca?: string | undefined;
  cert?: string | undefined;
  key?: string | undefined;
}

export interface RedisTls {
  ca?: Buffer;
  cert?: Buffer;
  key?: Buffer;
}

export interface RedisTarget {
  /** `socket` and `server` are one server each; a sentinel tells where the master is; a cluster has several. */
  where:
    | { kind: 'socket'; path: string }
    | { kind: 'server'; address: RedisAddress }
    | { kind: 'sentinel'; sentinels: RedisAddress[]; master: string; username?: string; password?: string }
    | { kind: 'cluster'; nodes: RedisAddress[] };
  username?: string;
  password?: string;
  db: number;
  tls?: RedisTls;
  /** For messages; without credentials. */
  name: string;
}

const FORMS =
  'redis://HOST:PORT, rediss://HOST:PORT, /path/to/socket, redis+sentinel://H1:P,H2:P/MASTER or redis+cluster://H1:P,H2:P';

/** @throws UsageError */
export function redisTarget(options: DirectoryOptions): RedisTarget {
  return parseRedisUrl(options.redis, {
    passwordFile: options.redisPasswordFile,
    sentinelUser: options.redisSentinelUser,
    sentinelPasswordFile: options.redisSentinelPasswordFile,
    ca: options.redisCa,
    cert: options.redisCert,
    key: options.redisKey,
  });
}

/** @throws UsageError in one line that names neither user nor password */
export function parseRedisUrl(text: string, access: RedisAccess = {}): RedisTarget {
  const parts = /^(redis|rediss|unix)(?:\+(sentinel|cluster))?:\/\/(?:([^@/]*)@)?([^/?#]*)(\/[^?#]*)?$/.exec(
    text,
  );
  const socket = text.startsWith('/')
    ? text
    : parts?.[1] === 'unix' && !parts[2] && !parts[4]
      ? parts[5]
      : undefined;
  const [, scheme, topology, userinfo, hosts = '', path = ''] = parts ?? [];
  if (socket === undefined && (scheme === undefined || scheme === 'unix')) {
    throw new UsageError(`--redis: cannot read this address; expected ${FORMS}`);
  }
  refuseForOthers(topology, access);
  const target = { ...credentials(userinfo, access), ...security(scheme === 'rediss', access) };
  if (socket !== undefined)
    return { ...target, where: { kind: 'socket', path: socket }, db: 0, name: socket };
  const addresses = hosts
    .split(',')
    .map((host) => parseAddress(host, topology === 'sentinel' ? 26379 : 6379));
  const name = addresses
    .map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`)
    .join(',');
  const [, first = '', second = ''] = path.split('/');
  if (path.split('/').length > (topology === 'sentinel' ? 3 : 2)) {
    throw new UsageError(`--redis: too many parts after the address; expected ${FORMS}`);
  }
  if (topology === 'sentinel') {
    if (first === '')
      throw new UsageError(
        '--redis: a sentinel address ends in the name of the master, as in redis+sentinel://h1:26379,h2:26379/mymaster',
      );
    const own = sentinelCredentials(access);
    const where = { kind: 'sentinel' as const, sentinels: addresses, master: decode(first), ...own };
    return { ...target, where, db: parseDb(second), name: `${where.master} of ${name}` };
  }
  if (topology === 'cluster') {
    if (parseDb(first) !== 0) throw new UsageError('--redis: a cluster has database 0 only');
    return { ...target, where: { kind: 'cluster', nodes: addresses }, db: 0, name };
  }
  const [address] = addresses;
  if (address === undefined || addresses.length > 1) {
    throw new UsageError('--redis: several addresses need redis+sentinel:// or redis+cluster://');
  }
  return { ...target, where: { kind: 'server', address }, db: parseDb(first), name };
}

function parseAddress(text: string, defaultPort: number): RedisAddress {
  const [, bracketed, plain, digits] =
    /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = digits === undefined ? defaultPort : Number(digits);
  if (host === undefined || port < 1 || port > 65535) {
    throw new UsageError(`--redis: "${text}" is not HOST:PORT`);
  }
  return { host, port };
}

function parseDb(text: string): number {
  if (text === '') return 0;
  if (!/^\d{1,5}$/.test(text)) throw new UsageError(`--redis: "${text}" is not a database number`);
  return Number(text);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new UsageError('--redis: a percent sign is not followed by two hexadecimal digits');
  }
}

function credentials(
  userinfo: string | undefined,
  access: RedisAccess,
): { username?: string; password?: string } {
  const [user = '', ...rest] = (userinfo ?? '').split(':');
  const inUrl = rest.length > 0 ? decode(rest.join(':')) : undefined;
  if (inUrl !== undefined && access.passwordFile !== undefined) {
    throw new UsageError('--redis-password-file: the address in --redis has a password already');
  }
  const password =
    access.passwordFile === undefined ? inUrl : passwordIn('password-file', access.passwordFile);
  return {
    ...(user !== '' && { username: decode(user) }),
    ...(password !== undefined && password !== '' && { password }),
  };
}

/** @throws UsageError where they are given and there are no sentinels */
function refuseForOthers(topology: string | undefined, access: RedisAccess): void {
  if (topology === 'sentinel') return;
  const given =
    access.sentinelUser !== undefined
      ? 'user'
      : access.sentinelPasswordFile !== undefined
        ? 'password-file'
        : undefined;
  if (given !== undefined)
    throw new UsageError(`--redis-sentinel-${given}: only with a redis+sentinel:// address`);
}

function sentinelCredentials({ sentinelUser, sentinelPasswordFile }: RedisAccess): {
  username?: string;
  password?: string;
} {
  if (sentinelPasswordFile === undefined) {
    if (sentinelUser === undefined) return {};
    throw new UsageError('--redis-sentinel-user: goes together with --redis-sentinel-password-file');
  }
  return {
    ...(sentinelUser !== undefined && { username: sentinelUser }),
    password: passwordIn('sentinel-password-file', sentinelPasswordFile),
  };
}

/** Editors end a file with a newline; passwords do not end with one. */
function passwordIn(option: string, file: string): string {
  const password = read(option, file)
    .toString()
    .replace(/\r?\n$/, '');
  if (password === '') throw new UsageError(`--redis-${option}: the file is empty`);
  return password;
}

function security(encrypted: boolean, access: RedisAccess): { tls?: RedisTls } {
  const { ca, cert, key } = access;
  if (!encrypted) {
    const given = (['ca', 'cert', 'key'] as const).find((name) => access[name] !== undefined);
    if (given !== undefined)
      throw new UsageError(`--redis-${given}: only with TLS, that is with a rediss:// address`);
    return {};
  }
  if ((cert === undefined) !== (key === undefined))
    throw new UsageError('--redis-cert and --redis-key go together');
  const tls: RedisTls = {
    ...(ca !== undefined && { ca: read('ca', ca) }),
    ...(cert !== undefined && { cert: read('cert', cert) }),
    ...(key !== undefined && { key: read('key', key) }),
  };
  if (tls.ca !== undefined)
    refuseUnless('ca', 'not a certificate in PEM', () => new X509Certificate(tls.ca ?? ''));
  if (tls.cert !== undefined)
    refuseUnless('cert', 'not a certificate in PEM', () => new X509Certificate(tls.cert ?? ''));
  if (tls.key !== undefined)
    refuseUnless('key', 'not the key of the certificate', () => createSecureContext(tls));
  return { tls };
}

/**
 * ioredis ends a client for ever whose files cannot be used (`StandaloneConnector`), so they are tried here.
 * @throws UsageError with `reason`, for a half-written file or a key of another certificate
 */
function refuseUnless(option: string, reason: string, use: () => unknown): void {
  try {
    use();
  } catch (error) {
    throw new UsageError(`--redis-${option}: ${reason}`, { cause: error });
  }
}

function read(option: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const why = code === 'ENOENT' ? 'no such file' : code === 'EACCES' ? 'permission denied' : String(code);
    throw new UsageError(`--redis-${option}: cannot read ${file}: ${why}`);
  }
}

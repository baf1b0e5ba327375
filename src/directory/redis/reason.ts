/** What went wrong with Redis, in words an operator can act on. */
import { DirectoryError } from '../directory.ts';
import type { RedisTarget } from './url.ts';
import { OversizedReply } from './reply-bound.ts';

/** One line, without credentials. */
export function redisReason(error: unknown, target: RedisTarget): string {
  const raw = innermost(error);
  const { message } = raw;
  const code = (raw as NodeJS.ErrnoException).code ?? '';
  if (isWithoutSentinel(raw)) return sentinelReason(message, target);
  if (message.includes('WRONGPASS') || message.includes('invalid password'))
    return 'wrong user name or password';
  if (message.startsWith('NOAUTH')) return 'the server wants a password (--redis-password-file)';
  if (message.startsWith('NOPERM')) return `not permitted: ${firstLine(message.replace(/^NOPERM /, ''))}`;
  if (message.startsWith('LOADING')) return 'the server is still loading its data';
  if (message.startsWith('CLUSTERDOWN')) return 'the cluster is down: some of its slots have no master';
  if (message.startsWith('MASTERDOWN')) return 'a replica that has lost its master';
  if (isWrongDatabase(raw)) return `no database ${target.db} on this server`;
  if (code === 'ECONNREFUSED') return `connection refused by ${target.name}`;
  if (code === 'ENOENT') return `no socket at ${target.name}`;
  if (code === 'EACCES') return `permission denied for ${target.name}`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `no address is known for ${target.name}`;
  if (code === 'EHOSTUNREACH' || code === 'ENETUNREACH') return `no route to ${target.name}`;
  if (isTimeout(raw)) return `no answer from ${target.name}`;
  if (
    code === 'ECONNRESET' ||
    code === 'EPIPE' ||
    /Connection is closed|isn't (writeable|ready)|MaxRetries|max retries/i.test(message)
  ) {
    return `not connected to ${target.name}`;
  }
  if (/CERT|certificate|SSL|TLS/i.test(`${code} ${message}`))
    return `TLS with ${target.name} failed: ${firstLine(message)}`;
  return firstLine(message) || code;
}

/** ioredis tells what the last of them said. */
function sentinelReason(message: string, { name }: RedisTarget): string {
  if (message.includes('NOAUTH'))
    return `the sentinels of ${name} want a password (--redis-sentinel-password-file)`;
  if (message.includes('WRONGPASS') || message.includes('invalid password'))
    return `the sentinels of ${name} know another user name or password`;
  const refused = /NOPERM .*$/.exec(message)?.[0];
  return refused === undefined
    ? `no sentinel of ${name} answers`
    : `not permitted by the sentinels: ${firstLine(refused.replace('NOPERM ', ''))}`;
}

/** None of the sentinels has told where the master is; ioredis says so after each round. */
export function isWithoutSentinel(error: unknown): boolean {
  return /All sentinels are unreachable/.test(innermost(error).message);
}

export function isWrongDatabase(error: Error): boolean {
  return /DB index|invalid DB|SELECT is not allowed/.test(error.message);
}

/** The user may not use this command, or on this key. */
export function isNotPermitted(error: unknown): boolean {
  return innermost(error).message.startsWith('NOPERM');
}

/** A key holds another type than the command is for. */
export function isWrongType(error: unknown): boolean {
  return innermost(error).message.startsWith('WRONGTYPE');
}

/** A reply was larger than any valid one. */
export function isOversized(error: unknown): boolean {
  return innermost(error) instanceof OversizedReply;
}

/** What ioredis says after the fact, when the cause was told before. */
export function isAftermath(error: unknown): boolean {
  return innermost(error).message === 'Connection is closed.';
}

export function isTimeout(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (
    (error as NodeJS.ErrnoException).code === 'ETIMEDOUT' ||
    /timed out|Socket timeout|ETIMEDOUT/.test(error.message)
  );
}

/** We wrap what went wrong, ioredis wraps what happened at the nodes, and node wraps what happened at each of a name's addresses. */
function innermost(error: unknown): Error {
  let inner = error instanceof Error ? error : new Error(String(error));
  for (let depth = 0; depth < 5; depth++) {
    const within: unknown =
      (inner as { lastNodeError?: unknown }).lastNodeError ??
      (inner instanceof DirectoryError ? inner.cause : undefined) ??
      (inner instanceof AggregateError ? inner.errors[0] : undefined);
    if (!(within instanceof Error)) break;
    inner = within;
  }
  return inner;
}

function firstLine(text: string): string {
  return (text.split('\n', 1)[0] ?? '').slice(0, 200);
}

/** A server replied with another type than the command has. */
export function misled(command: string): never {
  throw new Error(`malformed reply: to ${command}`);
}

/** The redis-cli command for the Redis server of the options. */
import type { RedisTarget } from '../directory/redis/url.ts';
import { type CommandLine, sh } from '../screen/shell.ts';

/** `redis-cli` with the options that lead to the target. It asks for the password. */
export function redisCli(
  { where, username, password, db, tls }: RedisTarget,
  ...words: string[]
): CommandLine {
  const [first] =
    where.kind === 'cluster'
      ? where.nodes
      : where.kind === 'sentinel'
        ? where.sentinels
        : where.kind === 'server'
          ? [where.address]
          : [];
  const at =
    where.kind === 'socket'
      ? ['-s', where.path]
      : first === undefined || (first.host === '127.0.0.1' && first.port === 6379)
        ? []
        : ['-h', first.host, '-p', String(first.port)];
  const options = [
    ...at,
    ...(where.kind === 'cluster' ? ['-c'] : []),
    ...(db === 0 ? [] : ['-n', String(db)]),
    ...(tls === undefined ? [] : ['--tls']),
    ...(username === undefined ? [] : ['--user', username]),
    ...(password === undefined ? [] : ['--askpass']),
  ];
  return sh`redis-cli ${[...options, ...words]}`;
}

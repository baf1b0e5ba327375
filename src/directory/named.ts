import type { DirectoryOptions } from './options.ts';
import { type RedisTarget, parseRedisUrl } from './redis/url.ts';

const KINDS: Record<RedisTarget['where']['kind'], string> = {
  socket: 'redis',
  server: 'redis',
  sentinel: 'redis sentinel',
  cluster: 'redis cluster',
};

/** Kind and address of the configured directory, for display: without credentials. */
export function directoryNamed({ directory, redis }: DirectoryOptions): {
  kind: string;
  address: string;
} {
  if (directory !== undefined) return { kind: 'file', address: directory };
  const { where, name } = parseRedisUrl(redis);
  return { kind: KINDS[where.kind], address: name };
}

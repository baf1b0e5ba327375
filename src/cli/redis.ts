/** The Redis directory that a command's options name. */
import type { DirectoryOptions } from '../directory/options.ts';
import type { Command } from 'commander';
import { resolve } from '../config/options.ts';
import { redisTarget } from '../directory/redis/url.ts';
import { RedisWriter } from '../directory/redis/writer.ts';

/** Opens it for one command declared with the `directory` options, and closes it again. */
export function withRedis<T>(command: Command, act: (redis: RedisWriter) => Promise<T>): Promise<T> {
  const options: DirectoryOptions = resolve(command, 'directory');
  return RedisWriter.use(redisTarget(options), options.keyPrefix, act);
}

import type { DirectoryOptions, RunOptions } from '../config/options.ts';
import type { Logger } from '../log.ts';
import type { Directory } from './directory.ts';
import { FileDirectory } from './file.ts';
import { RedisDirectory } from './redis.ts';
import type { OnMalformed } from './redis-leases.ts';
import { type RedisTarget, parseRedisUrl } from './redis-url.ts';

/** What `--redis` and its companions name. @throws UsageError */
export function redisTarget(options: DirectoryOptions): RedisTarget {
  return parseRedisUrl(options.redis, {
    passwordFile: options.redisPasswordFile,
    ca: options.redisCa,
    cert: options.redisCert,
    key: options.redisKey,
  });
}

/** The directory a daemon was told to use. Connects to nothing yet. @throws UsageError */
export function openDirectory(options: RunOptions, onMalformed: OnMalformed, log: Logger): Directory {
  if (options.directory !== undefined) {
    const onRejected = (reason: string): void => {
      log.error(`directory file not used: ${reason}`);
    };
    return new FileDirectory({ file: options.directory, onRejected });
  }
  return new RedisDirectory({ target: redisTarget(options), keyPrefix: options.keyPrefix, onMalformed });
}

/** The directory that the options ask for. */
import type { DirectoryOptions } from './options.ts';
import type { Logger } from '../base/log.ts';
import type { Directory } from './directory.ts';
import type { OnMalformed } from './redis/leases.ts';
import { type RedisTarget, redisTarget } from './redis/url.ts';
import { RedisDirectory } from './redis/redis-directory.ts';

/** Not started yet. */
export function openRedis(target: RedisTarget, keyPrefix: string, onMalformed: OnMalformed): Directory {
  return new RedisDirectory({ target, keyPrefix, onMalformed });
}

/**
 * Not started yet.
 * @throws UsageError for an invalid address or file
 */
export async function openDirectory(
  options: DirectoryOptions,
  onMalformed: OnMalformed,
  log: Logger,
): Promise<Directory> {
  if (options.directory === undefined) {
    return openRedis(redisTarget(options), options.keyPrefix, onMalformed);
  }
  // Loaded on demand: the YAML parser takes 15 MB.
  const { FileDirectory } = await import('./file/file-directory.ts');
  const directory = new FileDirectory({
    file: options.directory,
    onRejected: (reason) => {
      log.warn(`the directory file is not used as it is now: ${reason}`);
    },
  });
  // At start there is no earlier valid file to fall back on.
  await directory.readFirst();
  return directory;
}

/** The directory that the options ask for. */
import type { RunOptions } from '../config/options.ts';
import type { Logger } from '../log.ts';
import type { Directory } from './directory.ts';
import { readDirectoryFile } from './file-records.ts';
import { FileDirectory } from './file.ts';
import type { OnMalformed } from './redis-leases.ts';
import { redisTarget } from './redis-url.ts';
import { RedisDirectory } from './redis.ts';

/**
 * Not started yet.
 * @throws UsageError for an address that cannot be meant and for a file that is not valid
 */
export function openDirectory(options: RunOptions, onMalformed: OnMalformed, log: Logger): Directory {
  if (options.directory === undefined) {
    return new RedisDirectory({ target: redisTarget(options), keyPrefix: options.keyPrefix, onMalformed });
  }
  // At start there is no last good one to stay with.
  readDirectoryFile(options.directory);
  return new FileDirectory({
    file: options.directory,
    onRejected: (reason) => {
      log.warn(`the directory file is not used as it is now: ${reason}`);
    },
  });
}

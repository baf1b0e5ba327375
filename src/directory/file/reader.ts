/**
 * Reads a directory file without stopping the event loop: 60,000 endpoints take YAML some seconds, in which no miss would
 * be answered. A thread reads and judges; its result is taken in by slices, with time for everything else in between. To
 * start one costs 0.4 s of CPU, so a small file is read on the spot.
 */
import { statSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { reasonOf, UsageError } from '../../base/errors.ts';
import { Assembly, type FileContents } from './contents.ts';
import { readDirectoryFile } from './records.ts';
import type { FromWorker } from './worker.ts';

/** A file that has not been read by then will not be: the largest one takes a tenth of it, ms. */
const PATIENCE = 300_000;
/** Of the thread, MiB: the largest file takes half of it. */
const HEAP = 2_048;

/** Bytes of a file that is read on the spot: a hundred endpoints, ten milliseconds. */
const SMALL = 8 * 1024;

/** @throws UsageError naming the file and why it is not used, always as a rejection */
export function readWithoutStopping(file: string, stopped: AbortSignal): Promise<FileContents> {
  return isSmall(file)
    ? Promise.resolve().then(() => readDirectoryFile(file, SMALL))
    : readInThread(file, stopped);
}

/** A file that cannot be examined is refused when it is read. */
function isSmall(file: string): boolean {
  try {
    return statSync(file).size <= SMALL;
  } catch {
    return true;
  }
}

function readInThread(file: string, stopped: AbortSignal): Promise<FileContents> {
  return new Promise((resolve, reject) => {
    const assembly = new Assembly();
    const worker = new Worker(new URL('./worker.js', import.meta.url), {
      workerData: file,
      resourceLimits: { maxOldGenerationSizeMb: HEAP },
    });
    const end = (): void => {
      clearTimeout(timer);
      stopped.removeEventListener('abort', stop);
      void worker.terminate();
    };
    const fail = (reason: string): void => {
      end();
      reject(new UsageError(reason));
    };
    const stop = (): void => {
      fail(`${file}: not read to its end`);
    };
    const timer = setTimeout(() => {
      fail(`${file}: not read within ${PATIENCE / 1000} s`);
    }, PATIENCE);
    timer.unref();
    stopped.addEventListener('abort', stop);
    worker.on('error', (error) => {
      fail(`${file}: cannot be read: ${reasonOf(error)}`);
    });
    worker.on('message', (said: FromWorker) => {
      if (said === 'end') {
        end();
        resolve(assembly.contents());
      } else if ('refused' in said) fail(said.refused);
      else {
        assembly.take(said.slice);
        setImmediate(() => {
          worker.postMessage('next');
        });
      }
    });
    worker.postMessage('next');
  });
}

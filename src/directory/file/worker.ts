/** Reads one directory file in a worker thread; sends one slice per request. See `reader.ts`. */
import { parentPort, workerData } from 'node:worker_threads';
import { UsageError } from '../../base/errors.ts';
import type { Slice } from './contents.ts';
import { slicesOf } from './records.ts';

/** A message of the thread: some records, the end, or why the file is refused. */
export type FromWorker = { slice: Slice } | 'end' | { refused: string };

const port = parentPort;
const slices: Iterator<Slice, undefined> = slicesOf(workerData as string);
port?.on('message', () => {
  port.postMessage(next());
});

function next(): FromWorker {
  try {
    const read = slices.next();
    return read.done === true ? 'end' : { slice: read.value };
  } catch (error) {
    if (error instanceof UsageError) return { refused: error.message };
    throw error;
  }
}

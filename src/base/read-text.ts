/** Reading a file that others put in place: only a regular one, up to a bound, and never one that blocks the reader. */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  type Stats,
  statSync,
} from 'node:fs';
import { UsageError } from './errors.ts';

/** Bytes of a directory file: some 400,000 endpoints, which belong into Redis long before. */
export const MOST_BYTES = 32 * 1024 * 1024;
/** Bytes of one read. */
const PIECE = 1024 * 1024;

/** @throws UsageError naming file and reason: not there, not permitted, not a regular file, too large */
export function readText(file: string, most = MOST_BYTES): string {
  try {
    // Looked at first, because opening a device may do something; looked at again once opened, because it may be another one by then.
    refuseUnlessRegular(statSync(file));
    // A fifo without a writer would block in open(2), one with a writer in read(2).
    const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    try {
      refuseUnlessRegular(fstatSync(fd));
      return readUpTo(fd, most);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw new UsageError(`${file}: ${whyNot(error)}`, { cause: error });
  }
}

/** The size that stat(2) tells says little: files of /proc have none, others grow meanwhile. */
function readUpTo(fd: number, most: number): string {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for (;;) {
    const piece = Buffer.allocUnsafe(PIECE);
    const length = readSync(fd, piece, 0, PIECE, null);
    if (length === 0) return Buffer.concat(pieces).toString('utf8');
    bytes += length;
    if (bytes > most) throw new UsageError(`larger than ${most} bytes`);
    pieces.push(piece.subarray(0, length));
  }
}

function refuseUnlessRegular(stats: Stats): void {
  if (!stats.isFile()) throw new UsageError(`not a regular file but ${kindOf(stats)}`);
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return 'a directory';
  if (stats.isFIFO()) return 'a fifo';
  return stats.isSocket() ? 'a socket' : 'a device';
}

function whyNot(error: unknown): string {
  if (error instanceof UsageError) return error.message;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'no such file';
  return code === 'EACCES' ? 'permission denied' : (code ?? message);
}

/**
 * A file that missd itself keeps; undefined where there is none. Symbolic links are refused.
 * @param most bytes
 * @throws Error where it is no regular file, or larger
 */
export function readOwnFile(path: string, most: number): string | undefined {
  let file: number;
  try {
    // A pipe would keep the process waiting for its other end.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const stat = fstatSync(file);
    if (!stat.isFile() || stat.size > most)
      throw new Error(`${path} is no regular file of at most ${most} bytes`);
    return readFileSync(file, 'utf8');
  } finally {
    closeSync(file);
  }
}

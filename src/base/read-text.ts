/** Reads files written by others: only regular ones, up to a bound, and without blocking. */
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

/** Largest directory file in bytes: some 400,000 endpoints, which is far beyond the size where Redis is the better choice. */
export const MOST_BYTES = 32 * 1024 * 1024;
/** Bytes of one read. */
const PIECE = 1024 * 1024;

/** @throws UsageError with file and reason: absent, not permitted, not a regular file, too large */
export function readText(file: string, most = MOST_BYTES): string {
  try {
    // Checked before opening, because opening a device may have effects; and after, because the file may have been replaced.
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

/** The size from stat(2) is not used: files of /proc have size 0, and others grow meanwhile. */
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
 * Reads a file that missd itself writes; undefined where the file is absent. Symbolic links are refused.
 * @param most bytes
 * @throws Error where the file is not regular, or larger than `most`
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

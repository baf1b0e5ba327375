/** Which process has a socket, found by its inode as `ss -p` finds it. */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

/** A host may have 100,000 descriptors open; the look is synchronous, and for a line of the log. ms. */
const BUDGET = 200;

export interface SocketOwner {
  pid: number;
  /** Its name, as it calls itself. */
  comm: string;
  /** File name of the program; absent where that is not ours to see. */
  program?: string;
}

/** Undefined where it cannot be found: in another PID namespace, or not ours to see. @param proc for tests */
export function socketOwner(inode: number, proc = '/proc'): SocketOwner | undefined {
  const wanted = `socket:[${inode}]`;
  const end = performance.now() + BUDGET;
  for (const pid of entries(proc)) {
    if (!/^\d+$/.test(pid)) continue;
    if (performance.now() > end) return undefined;
    const directory = `${proc}/${pid}`;
    if (
      !entries(`${directory}/fd`).some((fd) => read(() => readlinkSync(`${directory}/fd/${fd}`)) === wanted)
    )
      continue;
    const comm = read(() => readFileSync(`${directory}/comm`, 'utf8').trim()) ?? 'gone';
    const program = read(() => basename(readlinkSync(`${directory}/exe`)));
    return { pid: Number(pid), comm, ...(program === undefined ? {} : { program }) };
  }
  return undefined;
}

const entries = (directory: string): string[] => read(() => readdirSync(directory)) ?? [];

/** A process may go at any moment. */
function read<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}

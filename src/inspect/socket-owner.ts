/** Finds the process that has a socket open, by the socket's inode, as `ss -p` does. */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

/** Longest search, ms: it is synchronous, a host may have 100,000 open descriptors, and the result is only logged. */
const BUDGET = 200;

export interface SocketOwner {
  pid: number;
  /** The name of the process (/proc/PID/comm), which the process can choose. */
  comm: string;
  /** File name of the program; absent without permission to read it. */
  program?: string;
}

/** Undefined if the process is not visible: in another PID namespace, or without permission. @param proc for tests */
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

/** Undefined on any error: a process may end at any moment. */
function read<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}

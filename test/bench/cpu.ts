/** Processor time of a process, all of its threads. */
import { readFileSync, readdirSync } from 'node:fs';

/** Microseconds of processor time so far (proc(5): schedstat counts nanoseconds, where stat counts hundredths of a second). */
export function cpuOf(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).reduce((sum, task) => {
    const [running] = readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ');
    return sum + Number(running) / 1000;
  }, 0);
}

/** Bytes of resident memory. */
export function rssOf(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}

/** Seconds in its own code and in the kernel (proc(5): stat, fields 14 and 15, in hundredths of a second). */
export function timesOf(pid: number): { user: number; system: number } {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field is the command's name and may contain anything.
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  return { user: (fields[11] ?? NaN) / 100, system: (fields[12] ?? NaN) / 100 };
}

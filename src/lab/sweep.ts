/**
 * Removes what labs made. Namespaces and directories of a lab have its pid in their names (`missd-PID-…`), so that the
 * remains of a killed lab are recognized by the dead pid.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { killRunning, runNow } from './command.ts';

export const NETNS = '/run/netns';
const OWNED = /^missd-(\d+)-/;

let opened = 0;
const open = new Set<() => void>();

/** A prefix that no other lab of this or another process has. */
export function labPrefix(): string {
  opened += 1;
  return `missd-${process.pid}-${opened === 1 ? '' : `${opened}-`}`;
}

const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
const onExit = (): void => {
  killRunning();
  for (const close of [...open]) close();
};
const onSignal = (signal: NodeJS.Signals): void => {
  onExit();
  process.exit(SIGNALS[signal as keyof typeof SIGNALS]);
};

/** Calls `close`, which must be synchronous, on exit and on signals. The returned function cancels it. */
export function leaveNothingBehind(close: () => void): () => void {
  if (open.size === 0) {
    process.on('exit', onExit);
    for (const signal of Object.keys(SIGNALS)) process.on(signal, onSignal);
  }
  open.add(close);
  return () => {
    if (!open.delete(close) || open.size > 0) return;
    process.off('exit', onExit);
    for (const signal of Object.keys(SIGNALS)) process.off(signal, onSignal);
  };
}

/** Kills the processes inside these namespaces, which only the lab can have started, and deletes the namespaces. */
export function removeNamespaces(names: readonly string[]): void {
  const present = names.filter((name) => existsSync(join(NETNS, name)));
  if (present.length === 0) return;
  for (const name of present) {
    for (const pid of runNow(['ip', 'netns', 'pids', name]).split('\n')) kill(Number(pid));
  }
  // -force goes on with the other namespaces after a failure.
  runNow(['ip', '-force', '-batch', '-'], present.map((name) => `netns delete ${name}\n`).join(''));
}

/** Removes namespaces and directories of labs that were killed. */
export function sweepStale(): void {
  const abandoned = (name: string): boolean => {
    const pid = Number(OWNED.exec(name)?.[1] ?? process.pid);
    return pid === process.pid ? OWNED.test(name) && open.size === 0 : !existsSync(`/proc/${pid}`);
  };
  removeNamespaces(list(NETNS).filter(abandoned));
  for (const name of list(tmpdir()).filter(abandoned)) {
    rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}

function list(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}

function kill(pid: number): void {
  if (pid <= 0 || pid === process.pid) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // The process has ended by itself.
  }
}

/**
 * Leaving nothing behind. Everything a lab makes outside its own process carries its pid in the name
 * (`missd-PID-…`), so that what a killed lab could not remove is known by its dead owner.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { killRunning, runNow } from './command.ts';

export const NETNS = '/run/netns';
const OWNED = /^missd-(\d+)-/;

let opened = 0;
const open = new Set<() => void>();

/** A prefix no other lab has, of this process or another. */
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

/** Has `close` called on exit and on signals, until the returned function is. `close` must not need to wait. */
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

/** Ends whatever runs inside these namespaces, which only their lab can have started, and deletes them. */
export function removeNamespaces(names: readonly string[]): void {
  const present = names.filter((name) => existsSync(join(NETNS, name)));
  if (present.length === 0) return;
  for (const name of present) {
    for (const pid of runNow(['ip', 'netns', 'pids', name]).split('\n')) kill(Number(pid));
  }
  // -force: one that cannot be deleted does not keep the others.
  runNow(['ip', '-force', '-batch', '-'], present.map((name) => `netns delete ${name}\n`).join(''));
}

/** Removes what labs left that were killed. */
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
    // It ended by itself.
  }
}

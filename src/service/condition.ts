/** The status of the daemon in one line, for `systemctl status`. */
import type { DirectoryState } from '../directory/directory.ts';
import { monotonic } from '../base/clock.ts';
import type { Readiness } from '../observe/readiness.ts';

export interface Condition {
  /** Every namespace is subscribed and its entries are adopted, with or without a directory. */
  serving: boolean;
  words: string;
}

/** The parts of a daemon that the condition depends on. */
export interface Standing {
  readiness: Pick<Readiness, 'unserved' | 'directory'>;
  host: { devices: () => readonly { name: string }[] };
  reconciler: { guard: { active: readonly number[] } };
}

/** Up to this many devices are named; more are counted. */
const FEW = 2;

export function conditionOf(daemon: Standing): Condition {
  const unserved = daemon.readiness.unserved();
  const words = [
    unserved.length === 0 ? served(daemon) : `waiting for ${unserved.join('; ')}`,
    ...directory(daemon.readiness.directory),
    ...guard(daemon.reconciler.guard.active),
  ];
  return { serving: unserved.length === 0, words: words.join('; ') };
}

function served({ host }: Standing): string {
  const names = host.devices().map(({ name }) => name);
  if (names.length === 0) return 'ready, no VXLAN device to serve yet';
  return `ready, serving ${names.length > FEW ? `${names.length} VXLAN devices` : names.join(' and ')}`;
}

const said = new WeakMap<DirectoryState, string>();

function directory(state: DirectoryState): string[] {
  if (state.up) return [];
  const since = said.get(state) ?? clockTime(state.since);
  // Kept, because the wall clock and the monotonic clock drift, and a second computation could differ.
  said.set(state, since);
  return [`directory down since ${since} (${state.reason}), entries stay`];
}

function guard(vnis: readonly number[]): string[] {
  if (vnis.length === 0) return [];
  const some = `${vnis.slice(0, FEW).join(', ')}${vnis.length > FEW ? `, … (${vnis.length})` : ''}`;
  return [`withdrawal guard: VNI ${some} lost most records all at once, entries stay for now`];
}

/** UTC, to the second. @param since on the monotonic clock, ms */
function clockTime(since: number): string {
  const at = new Date(Date.now() - (monotonic() - since));
  return `${at.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

import { ROOM } from '../links/full-tables.ts';
import type {
  Conflict,
  Departure,
  Eviction,
  HttpRefusal,
  JournalFailure,
  LaneName,
  MalformedReason,
  NeighbourFamily,
  OverrunSocket,
  ReceivingSocket,
  ReconcileAction,
} from '../base/outcomes.ts';
import type { DirectoryState } from '../directory/directory.ts';
import { reasonOf } from '../base/errors.ts';
import { monotonic } from '../base/clock.ts';
import { History } from '../observe/history/history.ts';
import type { KernelError } from '../kernel/kernel.ts';
import type { FoldedLog } from '../base/log.ts';
import { type Counters, increment } from '../model/counters.ts';
import type { Answer } from '../model/question.ts';
import type { ServedDevice } from '../model/device.ts';
import type { InstallReport } from '../entries/report.ts';

/** Counts deviations from the directory, logs each kind once a minute, and notes them in the history of the address. */
export class Report implements InstallReport {
  readonly #counters: Counters;
  readonly #complaints: FoldedLog;
  readonly #history: History;

  constructor(counters: Counters, complaints: FoldedLog, history = new History(monotonic)) {
    this.#counters = counters;
    this.#complaints = complaints;
    this.#history = history;
  }

  conflict(device: ServedDevice, reason: Conflict, what: string): void {
    this.#counters.conflicts[reason]++;
    this.#history.conflict(device, reason, what);
    this.#complaints.warn(`${device.name}: conflict (${reason})`, what);
  }

  failed(device: ServedDevice, table: 'neighbour' | 'fdb' | 'bridge' | 'route', error: KernelError): void {
    this.#counters.writeFailures[table]++;
    this.#complaints.warn(`${device.name}: ${table} entry refused`, error.message);
  }

  mended(device: ServedDevice, action: ReconcileAction, what: string): void {
    increment(this.#counters.reconcileChanges, action);
    this.#history.mended(device, action, what);
    this.#complaints.warn(`${device.name}: ${action.replace('_', ' ')} entry`, what);
  }

  evicted(device: ServedDevice, port: number, reason: Eviction): void {
    const asker = port > 0 ? `port with ifindex ${port}` : 'askers that are not known';
    this.#complaints.warn(`${device.name}: oldest entries evicted (${reason})`, asker);
  }

  rewritten(device: ServedDevice, address: string, answer: Answer): void {
    this.#history.rewritten(device, address, answer);
  }

  removed(device: ServedDevice, addresses: Iterable<string>, why: Departure): void {
    this.#history.removed(device, addresses, why);
  }

  bridgeForgot(device: ServedDevice, mac: string): void {
    increment(this.#counters.reconcileChanges, 'removed_bridge_entry');
    this.#history.mended(device, 'removed_bridge_entry', mac);
    this.#complaints.warn(
      `${device.name}: removed the bridge's own entry for a MAC that its record has elsewhere`,
      mac,
    );
  }

  foreign(device: ServedDevice, what: string): void {
    this.#complaints.warn(`${device.name}: FDB entry of another owner, left as it is`, what);
  }

  /** The journal is incomplete, so its entries need other evidence after a restart. */
  journal(reason: JournalFailure, what: string): void {
    this.#counters.journalFailures[reason]++;
    this.#complaints.warn(`journal of the entries written (${reason})`, what);
  }

  broken(lane: LaneName, error: unknown): void {
    this.#counters.internalErrors[lane]++;
    this.#complaints.warn(
      `internal error (${lane}); what it broke off is lost, the rest goes on`,
      reasonOf(error),
      {
        trace: error,
      },
    );
  }

  overflown(lane: LaneName, count: number): void {
    this.#counters.overflows[lane] += count;
    this.#complaints.warn(`no room (${lane})`, `dropped what came beyond the queue's bound`);
  }

  directory(state: DirectoryState, before: DirectoryState): void {
    // The reason may change during an outage, and the directory may come and go.
    if (state.up && !before.up) this.#complaints.info('the directory answers');
    else if (!state.up && (before.up || state.reason !== before.reason))
      this.#complaints.warn('the directory does not answer', state.reason, { apart: state.reason });
    if (!state.up && before.up) this.#counters.outages++;
  }

  /** A record that counts as absent. */
  malformed(vni: number, reason: MalformedReason, example: string): void {
    increment(this.#counters.malformedRecords, reason);
    this.#complaints.warn(`VNI ${vni}: malformed record (${reason}) ignored`, example);
  }

  overrun(socket: OverrunSocket): void {
    this.#counters.overruns[socket]++;
    this.#complaints.warn('netlink overrun', `the kernel dropped ${socket} messages for want of buffer`);
  }

  /** The kernel counts refused entries for the whole machine. */
  tableFull(family: NeighbourFamily, refused: number, limit: number): void {
    this.#counters.tableFulls[family] += refused;
    const sysctl = `net.${family}.neigh.default.gc_thresh`;
    this.#complaints.warn(
      `the kernel's ${family === 'ipv4' ? 'ARP' : 'IPv6 neighbour'} table is full (gc_thresh3 ${limit}), so what is asked for raises no miss`,
      `${refused} entries refused; sysctl -w ${[1, 2, 3].map((n) => `${sysctl}${n}=${ROOM[n - 1] ?? 0}`).join(' ')}`,
    );
  }

  /** Messages waiting in the socket may be lost. */
  receiveFailed(socket: ReceivingSocket, error: KernelError): void {
    this.#counters.receiveFailures[socket]++;
    this.#complaints.warn(`the ${socket} socket could not be read`, error.code);
  }

  /** A connection to the HTTP address was refused, or another was closed to make room. */
  refusedPeer(reason: HttpRefusal, example: string): void {
    this.#counters.httpRefusals[reason]++;
    this.#complaints.warn(`a connection to the HTTP address was refused (${reason})`, example);
  }

  malformedMessages(count: number): void {
    this.#counters.malformedMessages += count;
    this.#complaints.warn('malformed netlink messages', String(count));
  }
}

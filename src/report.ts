import type { MalformedReason } from './directory/record.ts';
import { reasonOf } from './errors.ts';
import { monotonic } from './clock.ts';
import { type Departure, History } from './history/history.ts';
import type { KernelError, OverrunSocket } from './kernel/kernel.ts';
import type { FoldedLog } from './log.ts';
import { type Counters, increment } from './metrics/counters.ts';
import type { Answer } from './resolve/question.ts';
import type { ServedDevice } from './served/device.ts';
import type { Conflict, Eviction, InstallReport, ReconcileAction } from './tables/report.ts';

/** What does not go as the directory has it: counted every time, said once a minute, and told to whoever asks about the address. */
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
    this.#complaints.warn(`${device.name}: removed the bridge's own entry for a MAC that moved`, mac);
  }

  broken(error: unknown): void {
    this.#complaints.warn('a batch of answers could not be written', reasonOf(error));
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

  malformedMessages(count: number): void {
    this.#counters.malformedMessages += count;
    this.#complaints.warn('malformed netlink messages', String(count));
  }
}

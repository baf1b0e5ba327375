/**
 * Recent events of addresses, for `missd explain`. Each kind of event has a ring of its own, so that a scan for unknown
 * addresses, or an import of a million records, replaces only events of its own kind.
 */
import type { Conflict, Departure, ReconcileAction } from '../../base/outcomes.ts';
import type { Clock } from '../../base/clock.ts';
import type { DirectoryChange } from '../../directory/directory.ts';
import type { Answer, Settled } from '../../model/question.ts';
import type { ServedDevice } from '../../model/device.ts';
import type { Vni } from '../../base/vocabulary.ts';
import { Ring, type RingEvent } from './ring.ts';

/** The outcomes of questions, and the events without a question. */
const KINDS = [
  'resolved',
  'unknown',
  'failed',
  'shed',
  'local',
  /** A record was set, deleted or expired. */
  'changed',
  /** An entry was rewritten because its record changed. */
  'rewritten',
  /** An entry of missd was removed. */
  'removed',
  /** An entry was removed to make room. */
  'evicted',
  'conflict',
  /** The audit repaired the kernel's tables. */
  'mended',
] as const;
export type EventKind = (typeof KINDS)[number];

export interface HistoryEvent extends RingEvent {
  kind: EventKind;
}

/** Events of each kind, some 70 bytes each. */
const SIZE = 1024;

export class History {
  readonly #now: Clock;
  readonly #rings = Object.fromEntries(KINDS.map((kind) => [kind, new Ring(SIZE)])) as Record<
    EventKind,
    Ring
  >;

  constructor(now: Clock) {
    this.#now = now;
  }

  settled(settled: readonly Settled[]): void {
    const now = this.#now();
    for (const { question, outcome, answer } of settled) {
      const { device, address, receivedAt } = question;
      const took = now - receivedAt;
      const ring = this.#rings[outcome];
      if (answer === undefined) ring.add(now, device.vni, address, undefined, undefined, undefined, took);
      else ring.add(now, device.vni, address, answer.mac, answer.vtep, answer.source.kind, took);
    }
  }

  /** Notes a question that was dropped before its lookup. */
  dropped({ vni }: ServedDevice, address: string): void {
    this.#rings.shed.add(this.#now(), vni, address);
  }

  onChange(change: DirectoryChange): void {
    if (change.type !== 'records') return;
    const now = this.#now();
    for (const { vni, kind, address } of change.keys)
      this.#rings.changed.add(now, vni, address, undefined, undefined, kind);
  }

  rewritten({ vni }: ServedDevice, address: string, { mac, vtep, source }: Answer): void {
    this.#rings.rewritten.add(this.#now(), vni, address, mac, vtep, source.kind);
  }

  removed({ vni }: ServedDevice, addresses: Iterable<string>, why: Departure): void {
    const now = this.#now();
    const ring = this.#rings[why === 'port_quota' || why === 'max_entries' ? 'evicted' : 'removed'];
    for (const address of addresses) ring.add(now, vni, address, undefined, undefined, why);
  }

  /** @param what a text that begins with the address */
  conflict({ vni }: ServedDevice, reason: Conflict, what: string): void {
    this.#rings.conflict.add(this.#now(), vni, firstWord(what), undefined, undefined, `${reason}: ${what}`);
  }

  mended({ vni }: ServedDevice, action: ReconcileAction, what: string): void {
    this.#rings.mended.add(this.#now(), vni, firstWord(what), undefined, undefined, action);
  }

  /** Events of an address, of entries with this address as their MAC, and of other addresses; the oldest first. */
  of(vni: Vni, address: string, others: readonly string[] = []): HistoryEvent[] {
    const addresses = new Set([address, ...others]);
    const events: HistoryEvent[] = [];
    for (const kind of KINDS)
      for (const event of this.#rings[kind].of(vni, addresses, address)) events.push({ kind, ...event });
    return events.sort((a, b) => a.at - b.at);
  }

  /** Events before this time may have been dropped, monotonic ms; undefined if none was. */
  get since(): number | undefined {
    const since = KINDS.map((kind) => this.#rings[kind].since).filter((one) => one !== undefined);
    return since.length === 0 ? undefined : Math.max(...since);
  }
}

const firstWord = (text: string): string => {
  const space = text.indexOf(' ');
  return space < 0 ? text : text.slice(0, space);
};

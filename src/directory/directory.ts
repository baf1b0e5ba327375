/**
 * The directory as missd sees it: raw record values by key, leases by longest prefix, and word of changes. Two
 * implementations: `redis.ts` and `file.ts`. Values are returned as written; `record.ts` alone judges them.
 */
import { DIRECTORY_PARTS } from '../base/outcomes.ts';
import type { Observable } from 'rxjs';
import type { Ip, Mac, Vni } from '../base/vocabulary.ts';

/** Names one record: `{VNI}:ip:ADDRESS` or `{VNI}:mac:ADDRESS`. */
export interface RecordKey {
  vni: Vni;
  kind: 'ip' | 'mac';
  address: string;
}

/** Of records, null where there is none. */
export type Values = (string | null)[];

/** A record as it stands in the directory. */
export type StoredRecord = readonly [key: RecordKey, value: string];

/** Word from the directory. Nothing is lost silently: where the feed may have missed something it says `gap`. */
export type DirectoryChange =
  /** These records were set, deleted or expired; their new values are not in the message. */
  | { type: 'records'; keys: RecordKey[] }
  /** A VNI's leases were read again and differ; `leases` answers from the new ones already. Not said where `gap` or `flushed` is about to be. */
  | { type: 'leases'; vni: Vni }
  /** Everything was deleted at one blow (FLUSHDB, FLUSHALL), perhaps in another database of the server: read again to know. `leases` has been. */
  | { type: 'flushed' }
  /** Changes may have been missed: everything held must be read again. Sent whenever the feed (re)starts, with `leases` read. */
  | { type: 'gap' };

/** `up` answers; `down` does not, with the reason in words and when that began on the clock of `clock.ts`. */
export type DirectoryState = { up: true } | { up: false; reason: string; since: number };

/** For metrics. */
export interface DirectoryHealth {
  /** Which parts work. */
  up: Readonly<Record<(typeof DIRECTORY_PARTS)[number], boolean>>;
  /**
   * Milliseconds that a change takes to be heard of: what a question took on the connection that tells of changes, or
   * longer, as long as it has no answer. Of several the worst.
   */
  feedLag: number;
  /** Leases that do not count because their VNI has too many. */
  excessLeases: number;
}

/** A subnet lease whose record was valid as text; the prefix is in canonical form. */
export interface Lease {
  cidr: string;
  /** The record's value, `MAC VTEP`. */
  value: string;
}

/** Leases of one VNI. */
export interface Leases {
  /** Longest prefix that covers the address; one that is not accepted (wrong family for the device) counts as absent. */
  covering(ip: Ip, accept?: (lease: Lease) => boolean): Lease | undefined;
  /** The lease that names this MAC; of several the same one on every host. */
  withMac(mac: Mac, accept?: (lease: Lease) => boolean): Lease | undefined;
  all(): Lease[];
}

export interface Directory {
  /** Replays the state in force, then every change of it. */
  readonly state$: Observable<DirectoryState>;
  readonly changes$: Observable<DirectoryChange>;
  /** Begins connecting; never throws for a directory that is not there yet. */
  start(): void;
  /**
   * Values in the order of the keys, null where there is no record; one round trip.
   * @throws DirectoryError when the directory does not answer in time, always as a rejection
   */
  read(keys: RecordKey[]): Promise<Values>;
  /** From memory, kept current by the feed for the VNIs that are followed; empty until first read. */
  leases(vni: Vni): Leases;
  /** Whether it is known from memory, as of the last word of the feed, that an address has no `ip:` record. */
  lacksRecord(vni: Vni, ip: Ip): boolean;
  /** The VNIs whose leases and changes matter. Replaces what was said before; resolves, never rejects, when their leases were read once or could not be. */
  follow(vnis: ReadonlySet<Vni>): Promise<void>;
  /** Whether a VNI has no record of any kind; who takes part in its broadcast is none. Looks through the whole directory where it must. @throws DirectoryError */
  isEmpty(vni: Vni): Promise<boolean>;
  /**
   * Every `ip:` and `mac:` record of a VNI, in no order, some perhaps twice; of what changes meanwhile the feed tells.
   * @throws DirectoryError
   */
  everything(vni: Vni): Iterable<StoredRecord> | AsyncIterable<StoredRecord>;
  /**
   * The addresses whose `ip:` records begin with one of these MACs, whatever else they say. Looks through all records of the VNI.
   * @throws DirectoryError
   */
  usersOf(vni: Vni, macs: ReadonlySet<Mac>): Promise<ReadonlyMap<Mac, Ip[]>>;
  /**
   * Says that these VTEPs take part in the VNI's broadcast, for so many milliseconds from now on.
   * @returns everybody who does, judged by nobody
   * @throws DirectoryError
   */
  takePart(vni: Vni, vteps: readonly Ip[], milliseconds: number): Promise<Ip[]>;
  /** That they do not any more. @throws DirectoryError */
  leave(vni: Vni, vteps: readonly Ip[]): Promise<void>;
  health(): DirectoryHealth;
  close(): Promise<void>;
}

/** For `usersOf`: notes an address if its record begins with one of the MACs. */
export function noteUser(
  users: Map<Mac, Ip[]>,
  macs: ReadonlySet<Mac>,
  ip: Ip,
  value: string | null | undefined,
): void {
  const mac = value?.slice(0, 17) ?? '';
  if (!macs.has(mac)) return;
  const ips = users.get(mac);
  if (ips === undefined) users.set(mac, [ip]);
  else if (ips.length < MOST_USERS) ips.push(ip);
}

/** Of one MAC: no more are remembered. */
const MOST_USERS = 4;

/** The directory did not answer, or not usefully. Always worth another try later. */
export class DirectoryError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DirectoryError';
  }
}

/**
 * The directory as missd sees it: raw record values by key, leases by longest prefix, and change events. Two
 * implementations: `redis.ts` and `file.ts`. Values are returned as written; `record.ts` alone judges them.
 */
import { DIRECTORY_PARTS } from '../base/outcomes.ts';
import type { Observable } from 'rxjs';
import type { Ip, Mac, Vni } from '../base/vocabulary.ts';
import type { Network } from './network.ts';
import type { Prefixes } from './prefixes.ts';
import type { Ownership } from './ownership.ts';

/** Names one record: `{VNI}:ip:ADDRESS` or `{VNI}:mac:ADDRESS`. */
export interface RecordKey {
  vni: Vni;
  kind: 'ip' | 'mac';
  address: string;
}

/** Values of records, null where there is no record. */
export type Values = (string | null)[];

/** A record as it stands in the directory. */
export type StoredRecord = readonly [key: RecordKey, value: string];

/** An event of the directory. No change is lost silently: `gap` reports that changes may have been missed. */
export type DirectoryChange =
  /** These records were set, deleted or expired; their new values are not in the message. */
  | { type: 'records'; keys: RecordKey[] }
  /** A VNI's leases changed; `leases` already returns the new ones. Not sent when `gap` or `flushed` follows. */
  | { type: 'leases'; vni: Vni }
  /** A VNI's network was set or deleted. */
  | { type: 'network'; vni: Vni }
  /** FLUSHDB or FLUSHALL, perhaps of another database: all records must be read again. `leases` has been read already. */
  | { type: 'flushed' }
  /** Changes may have been missed: all records must be read again. Sent whenever the feed starts, after `leases` was read. */
  | { type: 'gap' };

/** Whether the directory answers; if `down`, the reason in words and its start on the clock of `clock.ts`. */
export type DirectoryState = { up: true } | { up: false; reason: string; since: number };

/** `there`: nothing was lost. `other`: there is a network with another definition, which stays. */
export type NetworkRestored = 'there' | 'restored' | 'other';

/** For metrics. */
export interface DirectoryHealth {
  /** Which parts work. */
  up: Readonly<Record<(typeof DIRECTORY_PARTS)[number], boolean>>;
  /**
   * Delay of change events, ms: the round trip of the last PING on the feed, or its age if it has no answer yet. The
   * longest of several feeds.
   */
  feedLag: number;
  /** Messages of changes received, however many keys each names. */
  feedMessages: number;
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
  /** The accepted lease with the longest prefix that covers the address. */
  covering(ip: Ip, accept?: (lease: Lease) => boolean): Lease | undefined;
  /** The lease that names this MAC; every host picks the same one of several. */
  withMac(mac: Mac, accept?: (lease: Lease) => boolean): Lease | undefined;
  all(): Lease[];
}

export interface Directory {
  /** Replays the current state, then emits every change. */
  readonly state$: Observable<DirectoryState>;
  readonly changes$: Observable<DirectoryChange>;
  /** Absent where hosts cannot publish. */
  readonly ownership: Ownership | undefined;
  /** Starts connecting; does not throw if the directory is not reachable yet. */
  start(): void;
  /**
   * Values in the order of the keys, null where there is no record; one round trip.
   * @throws DirectoryError when the directory does not answer in time, always as a rejection
   */
  read(keys: RecordKey[]): Promise<Values>;
  /** From memory, kept current by the feed for the VNIs that are followed; empty until first read. */
  leases(vni: Vni): Leases;
  /** Whether an address is known to have no `ip:` record, from memory as of the last change event. */
  lacksRecord(vni: Vni, ip: Ip): boolean;
  /** Follows leases and changes of these VNIs and no others. Resolves when the leases were read or failed to be read; never rejects. */
  follow(vnis: ReadonlySet<Vni>): Promise<void>;
  /** Whether a VNI has no record and no lease; its network, hosts and members of its broadcast domain do not count. May scan the whole directory. @throws DirectoryError */
  isEmpty(vni: Vni): Promise<boolean>;
  /**
   * Every `ip:` and `mac:` record of a VNI, in no order; a record may appear twice. The feed reports changes meanwhile.
   * @throws DirectoryError
   */
  everything(vni: Vni): Iterable<StoredRecord> | AsyncIterable<StoredRecord>;
  /**
   * The addresses whose `ip:` records begin with one of these MACs, valid or not. Scans all records of the VNI.
   * @throws DirectoryError
   */
  usersOf(vni: Vni, macs: ReadonlySet<Mac>): Promise<ReadonlyMap<Mac, Ip[]>>;
  /**
   * Makes these VTEPs members of the VNI's broadcast domain for the given time, ms.
   * @returns all members, not validated
   * @throws DirectoryError
   */
  takePart(vni: Vni, vteps: readonly Ip[], milliseconds: number): Promise<Ip[]>;
  /** Removes these VTEPs from the broadcast domain. @throws DirectoryError */
  leave(vni: Vni, vteps: readonly Ip[]): Promise<void>;
  /**
   * The network of this name; undefined where there is none.
   * @throws UsageError in one line when its record cannot be used
   * @throws DirectoryError when the directory does not answer
   */
  network(name: string): Promise<Network | undefined>;
  /**
   * Writes a network again that the directory has lost, as a joined host remembers it. Only for a host whose lease has not
   * ended: an operator can remove a network that no host is joined to.
   * @throws DirectoryError
   */
  restoreNetwork(network: Network): Promise<NetworkRestored>;
  /** The prefixes of routed networks. */
  readonly prefixes: Prefixes;
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

/** Addresses kept per MAC. */
const MOST_USERS = 4;

/** The directory did not answer, or answered with an error. The caller may retry. */
export class DirectoryError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DirectoryError';
  }
}

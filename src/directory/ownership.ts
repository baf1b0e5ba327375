/**
 * Who published a record. A host has a lease in each VNI; a record that it published names it in a companion key, and ends
 * with the host unless another host takes it. Every method tests the lease and changes the records in one step.
 */
import type { Observable } from 'rxjs';
import type { Ip, Mac, Vni } from '../base/vocabulary.ts';

export interface HostIdentity {
  id: string;
  /** 12 hexadecimal digits, random; a new one for each process and after each lapse of the lease. */
  incarnation: string;
  vtep: Ip;
}

/** How a host knows a guest: from what the guest sends, or from the program that started the guest. */
export type GuestKind = 'learned' | 'attached';

export interface Guest {
  mac: Mac;
  ips: readonly Ip[];
  kind: GuestKind;
}

export type Renewal =
  | {
      /**
       * - `renewed`, `taken`: this incarnation has the lease
       * - `gone`: nobody has it
       * - `displaced`: another incarnation with the same VTEP has it
       * - `cloned`: another process has the same incarnation
       */
      outcome: 'renewed' | 'taken' | 'gone' | 'displaced' | 'cloned';
    }
  | { /** A host with the same id and another VTEP has it. */ outcome: 'refused'; vtep: Ip };

/** What became of one address. */
export type AddressResult =
  /** `manual`: there is a record that no companion knows; it was written by hand and stays. */
  | { ip: Ip; outcome: 'ok' | 'manual' }
  /** Another MAC has the address. `ended`: the lease of that MAC's host has ended, and reaping was not permitted. */
  | { ip: Ip; outcome: 'duplicate' | 'ended'; mac: Mac; host: string };

export type Published =
  /** This incarnation has no lease. Nothing was written. */
  | { outcome: 'lease' }
  /** Another host has the MAC. Nothing was written. `frozen`: it moved too often and cannot be moved now. */
  | { outcome: 'moved' | 'frozen'; host: string; epoch: number }
  | {
      outcome: 'ok';
      /** Whether anything was written. */
      changed: boolean;
      /** Whether the `mac:` record was written by hand, and stays. */
      manual: boolean;
      epoch: number;
      addresses: AddressResult[];
    };

export type Moved =
  | Extract<Published, { outcome: 'ok' | 'lease' }>
  /** `stale`: the epoch is not the expected one any more. */
  | { outcome: 'frozen' | 'stale'; host: string; epoch: number };

/** The companion of a MAC's records. */
export interface Owner {
  host: string;
  incarnation: string;
  /** Grows by 1 with each move. */
  epoch: number;
  vtep: Ip;
  kind: GuestKind;
  /** Moves within the current window, and the host that had the MAC when the window began. */
  moves: number;
  /** When the window began, ms since 1970 on the server's clock; 0 before the first move. */
  since: number;
  first: string;
  /** Time on the server's clock until which nobody but `first` may take the MAC, ms since 1970; 0 for none. */
  frozen: number;
  ips: Ip[];
}

export interface OwnedGuest extends Guest {
  epoch: number;
}

export interface HostState {
  id: string;
  incarnation: string;
  /** Absent when the lease has ended. */
  lease: { incarnation: string; vtep: Ip } | undefined;
}

/** From one host to another. */
export type OwnerMessage =
  /** `mac` on the host `from` has `ip`, which the receiver published for `owner`. */
  | { type: 'claim'; vni: Vni; from: string; mac: Mac; ip: Ip; owner: Mac }
  /** The answer to a claim: the guest is silent and its record withdrawn, or it answers and keeps the address. */
  | { type: 'released' | 'refused'; vni: Vni; from: string; mac: Mac; ip: Ip; owner: Mac };

/** Every method throws DirectoryError when the directory does not answer. */
export interface Ownership {
  /** Emits messages to the hosts of `listen`; a message may come twice. */
  readonly messages$: Observable<OwnerMessage>;
  /**
   * @param counter one more than in the previous attempt, also after a failed one
   * @param ttl length of the lease, ms
   * @param take also takes a lease that nobody has, or that another incarnation with the same VTEP has
   * @param previous an earlier incarnation of this process, whose lease is taken although the VTEP is another
   */
  renew(
    vni: Vni,
    host: HostIdentity,
    counter: number,
    ttl: number,
    take: boolean,
    previous?: string,
  ): Promise<Renewal>;
  /** Gives the lease back. @returns whether this incarnation had it */
  leave(vni: Vni, host: HostIdentity): Promise<boolean>;
  /** Writes what is missing; writes nothing when nothing changes. @param mayReap takes addresses of hosts whose lease has ended */
  publish(vni: Vni, host: HostIdentity, guest: Guest, mayReap: boolean): Promise<Published>;
  /** Takes a MAC with all its addresses from another host. @param epoch as `publish` or `owner` said */
  move(vni: Vni, host: HostIdentity, guest: Guest, epoch: number): Promise<Moved>;
  /** Withdraws these addresses of a MAC, or all, if this host has published them. @returns number of records removed */
  withdraw(vni: Vni, host: HostIdentity, mac: Mac, ips?: readonly Ip[]): Promise<number>;
  /** What a host has published, in whatever incarnation. */
  owned(vni: Vni, id: string): Promise<OwnedGuest[]>;
  owner(vni: Vni, mac: Mac): Promise<Owner | undefined>;
  /** Hosts that took a lease and are not reaped yet. */
  hosts(vni: Vni): Promise<HostState[]>;
  /** Milliseconds until a host's lease ends; undefined when it has ended. */
  remaining(vni: Vni, id: string): Promise<number | undefined>;
  /** Milliseconds since the server started; undefined where it may not be asked (INFO). */
  uptime(): Promise<number | undefined>;
  /** Removes the records of at most so many MACs of a host whose lease has ended; does nothing if the incarnation is not its last. */
  reap(vni: Vni, id: string, incarnation: string, most: number): Promise<{ reaped: number; left: number }>;
  /** Sends a message to a host; it is lost when the host does not listen. */
  tell(id: string, message: OwnerMessage): Promise<void>;
  /** Listens to messages to these hosts and no others. */
  listen(hosts: readonly { vni: Vni; id: string }[]): void;
}

/**
 * The prefixes of a routed network: each host acquires one, keeps it over restarts, and publishes it as a subnet lease.
 * Assignments outlive the host lease; `{VNI}:prefixes` has them.
 */
import { RuntimeFailure } from '../base/errors.ts';
import type { Mac, Vni } from '../base/vocabulary.ts';
import type { Network } from './network.ts';
import type { HostIdentity } from './ownership.ts';

/** A prefix as its host publishes it. */
export interface HeldPrefix {
  cidr: string;
  /** Of the host's VXLAN device. */
  mac: Mac;
  /**
   * Since when the host has the prefix without a break, ms on the directory's clock, as `publish` said last. Absent after a break: the
   * host lease has ended meanwhile. Of two hosts that claim a prefix, the one without a break keeps it, else the earlier one.
   */
  since?: number;
}

/** What came of publishing a prefix. */
export type PrefixPublished =
  /** The record says so. `manual`: a record that was written by hand says something else, and stays. */
  | { outcome: 'ok' | 'manual'; since: number }
  /** The host has no lease, or another process of it has. Nothing was written. */
  | { outcome: 'lease' }
  /** Another host has the prefix, and had it earlier: this host gives it up and acquires another. Nothing was written. */
  | { outcome: 'taken'; by: string };

export interface Prefixes {
  /**
   * The prefix of a host: the one it has, the one that is reserved for its id, else a free one, else that of a host whose lease
   * has ended, the one that ended first. Needs the host lease.
   * @throws NoPrefixLeft when none is free
   * @throws UsageError when a file reserves none for the host
   * @throws DirectoryError when none can be acquired now; the caller tries again
   */
  acquire(network: Network, host: HostIdentity): Promise<string>;
  /**
   * Writes the record `subnet:CIDR` = `MAC VTEP` and asserts the assignment. Writes nothing when all is as it should be, so that it
   * is called after every gap and flush, and once in a host lease.
   * @throws DirectoryError
   */
  publish(network: Network, host: HostIdentity, prefix: HeldPrefix): Promise<PrefixPublished>;
  /** Gives the prefixes of a host back, with their records. @returns the prefixes. @throws DirectoryError */
  release(network: Network, id: string): Promise<string[]>;
  /**
   * Removes the records of a host whose lease has ended; its prefixes stay assigned. Does nothing if the incarnation is not its
   * last.
   * @returns number of records
   * @throws DirectoryError
   */
  withdraw(vni: Vni, id: string, incarnation: string): Promise<number>;
}

/** Every prefix of the network is assigned to a host that lives, or is reserved. */
export class NoPrefixLeft extends RuntimeFailure {
  constructor({ name, subnet, leaseLength }: Network) {
    super(`network ${name}: no /${leaseLength} of ${subnet} is free`);
    this.name = 'NoPrefixLeft';
  }
}

/** Of a directory without networks. */
export const NO_PREFIXES: Prefixes = {
  acquire: (network) => Promise.reject(new NoPrefixLeft(network)),
  publish: () => Promise.resolve({ outcome: 'lease' }),
  release: () => Promise.resolve([]),
  withdraw: () => Promise.resolve(0),
};

/**
 * The prefixes of a routed network: each host acquires one, keeps it over restarts, and publishes it as a subnet lease.
 * Assignments outlive the host lease; `{VNI}:prefixes` has them.
 */
import { RuntimeFailure } from '../base/errors.ts';
import type { Mac } from '../base/vocabulary.ts';
import type { Network } from './network.ts';
import type { HostIdentity } from './ownership.ts';

/** What came of publishing a prefix. */
export type PrefixPublished =
  /** Its records say so. */
  | { outcome: 'ok' }
  /** The host has no lease, or another process of it has. Nothing was written. */
  | { outcome: 'lease' }
  /** Another host has the prefix, and had it earlier: this host gives it up and acquires another. Nothing was written. */
  | { outcome: 'taken'; by: string };

export interface Prefixes {
  /**
   * The prefix of a host: the one it has, the one that is reserved for its id, else a free one. Needs the host lease.
   * @throws NoPrefixLeft when none is free
   * @throws DirectoryError when it cannot be said now; the caller tries again
   */
  acquire(network: Network, host: HostIdentity): Promise<string>;
  /**
   * Writes the record `subnet:CIDR` = `MAC VTEP`, and nothing when it says so already. Also asserts the assignment again, so that
   * it is called after every gap and flush.
   * @throws DirectoryError
   */
  publish(network: Network, host: HostIdentity, cidr: string, mac: Mac): Promise<PrefixPublished>;
  /** Gives the prefixes of a host id back, with their records. @returns the prefixes. @throws DirectoryError */
  release(network: Network, id: string): Promise<string[]>;
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
};

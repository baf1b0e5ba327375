/** What the publishing of this host counts, of all networks. */

/** Records written and removed. `restored`: put back after somebody else deleted them. `reaped`: MACs of other hosts. */
export const PUBLICATIONS = ['published', 'withdrawn', 'restored', 'reaped'] as const;

/** `here`: from another host. `away`: to another host. `back`: from another host, because the guest still answers here. */
export const GUEST_MOVES = ['here', 'away', 'back'] as const;

/** How claims to an address that another MAC has ended. `released`, `refused`: the other's answer. */
export const CLAIMS = ['sent', 'received', 'released', 'refused'] as const;

/**
 * Why a guest or an address is not published. `manual`: a record that was written by hand. `duplicate`: another MAC has
 * the address. `frozen`: the MAC moved too often. `lease`: this host has no lease.
 */
export const NOT_PUBLISHED = ['manual', 'duplicate', 'frozen', 'lease'] as const;

/** Why a host lease was lost. */
export const LEASE_LOSSES = ['lapsed', 'displaced', 'cloned', 'refused'] as const;
export type LeaseLoss = (typeof LEASE_LOSSES)[number];

const zeros = <T extends string>(words: readonly T[]): Record<T, number> =>
  Object.fromEntries(words.map((word) => [word, 0])) as Record<T, number>;

export class PublishCounters {
  readonly publications = zeros(PUBLICATIONS);
  readonly moves = zeros(GUEST_MOVES);
  readonly claims = zeros(CLAIMS);
  readonly notPublished = zeros(NOT_PUBLISHED);
  readonly leaseLosses = zeros(LEASE_LOSSES);
}

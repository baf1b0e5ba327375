import type { Leases } from '../directory/directory.ts';
import { addressOf, covers, following, parseCidr } from '../base/prefix.ts';
import type { Ip } from '../base/vocabulary.ts';

/** Longer prefixes skipped at the start of a lease; no real network has more. */
const MOST_STEPS = 64;

/**
 * The gateway of the route to a lease: the first address of the prefix, which no guest has. When a longer prefix begins
 * there, the first address behind that prefix, because two hosts cannot share a neighbour.
 * @returns undefined when longer prefixes cover the whole lease
 */
export function gatewayOf(cidr: string, leases: Leases): Ip | undefined {
  const prefix = parseCidr(cidr);
  let at = prefix;
  for (let step = 0; prefix !== undefined && at !== undefined && step < MOST_STEPS; step++) {
    const ip = addressOf(at);
    const owner = leases.covering(ip);
    if (owner === undefined || owner.cidr === cidr) return ip;
    const longer = parseCidr(owner.cidr);
    at = longer === undefined ? undefined : following(longer);
    if (at !== undefined && !covers(prefix, at)) return undefined;
  }
  return undefined;
}

import type { Leases } from '../directory/directory.ts';
import { addressOf, covers, following, parseCidr } from '../base/prefix.ts';
import type { Ip } from '../base/vocabulary.ts';

/** Longer prefixes stepped over; a directory with more of them in one lease is nobody's network. */
const MOST_STEPS = 64;

/**
 * The address that stands for the remote host in the route to its lease: the first of the prefix, which is no guest's.
 * Where a longer prefix begins there, the first one behind it: two hosts cannot share a neighbour.
 * @returns undefined where longer prefixes leave nothing of it
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

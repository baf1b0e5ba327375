/** From which namespace a VXLAN device's packets leave: its own, or the one it was made in (Docker's way). */
import type { InterfaceAddress, Link } from '../vocabulary.ts';

export interface Candidate {
  addresses: readonly InterfaceAddress[];
}

/**
 * The kernel names the other namespace by a number that means something only where the device is, but tells its
 * addresses, and no two namespaces have the same ones on interfaces of the same numbers.
 * @param there the addresses of the namespace that `linkNetnsid` names
 * @returns undefined where none of the candidates is it
 */
export function underlayOf<T extends Candidate>(
  link: Link,
  home: T,
  there: readonly InterfaceAddress[],
  candidates: Iterable<T>,
): T | undefined {
  if (link.linkNetnsid === undefined) return home;
  const wanted = fingerprint(there);
  return [...candidates].find(({ addresses }) => fingerprint(addresses) === wanted);
}

const fingerprint = (addresses: readonly InterfaceAddress[]): string =>
  addresses
    .map(({ ifindex, ip }) => `${ifindex} ${ip}`)
    .sort()
    .join('\n');

/** What missd needs of a kernel. */

export const FEATURES = [
  'bridge',
  'vxlan',
  'ipv6',
  'misses of what is routed',
  'misses of what is bridged',
  'misses of IPv6',
  'misses of a MAC',
  'neighbour with owner',
  'FDB entry with owner',
  'app_solicit',
  'mcast_router',
  'route with owner',
  'lock',
  'nftables',
] as const;
export type Feature = (typeof FEATURES)[number];

export interface Trial {
  feature: Feature;
  /** The error; absent where the feature works. */
  error?: string;
}

/** Kernel features that missd uses. */

export const FEATURES = [
  'bridge',
  'vxlan',
  'ipv6',
  'misses of routed addresses',
  'misses of bridged addresses',
  'misses of IPv6 addresses',
  'misses of MACs',
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
  /** The error; absent if the feature works. */
  error?: string;
}

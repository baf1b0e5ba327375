import type { Mac } from '../base/vocabulary.ts';

/**
 * What is replicated. The kernel looks a frame's destination up as it is (vxlan_xmit), so each multicast group has to be
 * named. An all-zeros entry would stand for every other one, but it would turn L2 misses off: it is never written.
 */
export const GROUPS: readonly Mac[] = [
  'ff:ff:ff:ff:ff:ff',
  // All nodes and all routers: router solicitations and advertisements (RFC 4861), and IGMP's counterpart of the first.
  '33:33:00:00:00:01',
  '33:33:00:00:00:02',
  '01:00:5e:00:00:01',
  // DHCPv6 relays and servers (RFC 8415 §7.1).
  '33:33:00:01:00:02',
  // Multicast DNS (RFC 6762).
  '33:33:00:00:00:fb',
  '01:00:5e:00:00:fb',
  // VRRP (RFC 9568).
  '33:33:00:00:00:12',
  '01:00:5e:00:00:12',
];

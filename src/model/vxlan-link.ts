import type { Namespace } from '../kernel/kernel.ts';
import { NTF_SELF, NUD_REACHABLE } from '../kernel/netlink.ts';
import type { Link, VxlanAttributes } from '../base/vocabulary.ts';

export type VxlanLink = Link & { vxlan: VxlanAttributes };

/** ifindex of the underlay for link-local VTEPs; undefined without one in the device's own namespace. */
export const interfaceOf = ({ vxlan, linkNetnsid }: VxlanLink): number | undefined =>
  vxlan.link === 0 || linkNetnsid !== undefined ? undefined : vxlan.link;

/**
 * The address family of a device's VTEPs, which never changes. `local` or `group` shows it. Without both (`ip -6 link add …
 * type vxlan`) a probe with an IPv6 VTEP shows it, because the kernel checks the family first (drivers/net/vxlan,
 * `vxlan_fdb_add`). The probe writes nothing.
 */
export function familyOf(
  { ifindex, vxlan: { ipv6, local, group } }: VxlanLink,
  kernel: Pick<Namespace, 'write'>,
): 4 | 6 {
  if (ipv6) return 6;
  if (local !== undefined || group !== undefined) return 4;
  const probe = { op: 'probe', ifindex, state: NUD_REACHABLE, flags: NTF_SELF } as const;
  const [refusal] = kernel.write([{ ...probe, table: 'fdb', lladdr: '02:00:00:00:00:00', vtep: '100::1' }]);
  return refusal?.error.code === 'ENOENT' || refusal?.error.code === 'EEXIST' ? 6 : 4;
}

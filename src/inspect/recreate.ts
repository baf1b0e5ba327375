/** Commands that recreate a VXLAN device, for flags that the kernel takes only at creation. */
import type { VxlanLink } from '../model/vxlan-link.ts';
import type { Link } from '../base/vocabulary.ts';
import { type CommandLine, blank, device, sh, typed } from '../screen/shell.ts';

/**
 * Commands, to be typed in this order, that make the same device with the flags that missd needs.
 * @param path of the device's namespace; null for the namespace of this process
 * @param links of the device's namespace
 */
export function recreated(
  link: VxlanLink,
  path: string | null,
  links: ReadonlyMap<number, Link>,
): CommandLine[] {
  const { vxlan, name, mtu, lladdr, linkNetnsid } = link;
  const master = links.get(link.master);
  // If the device was moved to another namespace, its underlay and its `dev` are in the first one.
  const underlay = linkNetnsid === undefined ? links.get(vxlan.link) : undefined;
  const words = [
    ...['type', 'vxlan', 'id', vxlan.vni, 'dstport', vxlan.dstport],
    ...(vxlan.local === undefined ? [] : ['local', vxlan.local]),
    ...(underlay === undefined ? [] : ['dev', underlay.name]),
    ...['nolearning', 'proxy', 'l2miss', 'l3miss'],
  ];
  const add =
    linkNetnsid === undefined
      ? typed(path, sh`ip link add ${device(name)} ${words}`)
      : sh`ip link add ${device(name)} netns ${path?.replace(/^\/(var\/)?run\/netns\//, '') ?? blank('NETNS')} ${words}`;
  return [
    typed(path, sh`ip link del ${device(name)}`),
    add,
    typed(
      path,
      sh`ip link set ${device(name)} address ${lladdr} mtu ${mtu} ${master === undefined ? [] : ['master', master.name]} up`,
    ),
  ];
}

/** Commands that make a VXLAN device anew, for what the kernel takes at creation only. */
import type { VxlanLink } from '../model/vxlan-link.ts';
import type { Link } from '../base/vocabulary.ts';
import { type CommandLine, blank, device, sh, typed } from '../screen/shell.ts';

/**
 * The same device with the flags missd wants, to be typed one after the other.
 * @param path of its namespace, null for our own
 * @param links of its namespace
 */
export function recreated(
  link: VxlanLink,
  path: string | null,
  links: ReadonlyMap<number, Link>,
): CommandLine[] {
  const { vxlan, name, mtu, lladdr, linkNetnsid } = link;
  const master = links.get(link.master);
  // Of a device that was moved the underlay is elsewhere, and so is its `dev`.
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

/** The rules for VTEPs in a device's records, for commands that check records beside the daemon. */
import type { RecordContext } from '../directory/record.ts';
import type { Namespace } from '../kernel/kernel.ts';
import { AssignedAddresses } from './assigned-addresses.ts';
import { type VxlanLink, familyOf, interfaceOf } from '../model/vxlan-link.ts';

export type VtepRules = Required<Pick<RecordContext, 'family' | 'linkLocal' | 'isBroadcast'>>;

/**
 * Reads the rules that a `ServedDevice` would have, once. Never rejects: where the underlay's addresses cannot be read, no
 * broadcast address is known, as in the daemon.
 * @param kernel the namespace of the device
 */
export async function vtepRules(
  kernel: Pick<Namespace, 'addresses' | 'write'>,
  link: VxlanLink,
): Promise<VtepRules> {
  const underlay = new AssignedAddresses();
  for (const address of await kernel.addresses(link.linkNetnsid).catch(() => [])) underlay.add(address);
  return {
    family: familyOf(link, kernel),
    linkLocal: interfaceOf(link) !== undefined,
    isBroadcast: (vtep) => underlay.isBroadcast(vtep),
  };
}

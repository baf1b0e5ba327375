/** Devices that an operator may expect to be served and that are not, with the reason. */
import type { Host } from './host.ts';
import { isVxlan } from './servable.ts';

export interface Unserved {
  /** Name of the device, or of a missing `--device`. */
  name: string;
  namespace: string;
  vni?: number;
  reason: string;
}

/** @param names names of `--device`; empty for every device that raises misses */
export function unserved(host: Host, names: readonly string[]): Unserved[] {
  const namespaces = [...host.namespaces.values()];
  const found: Unserved[] = [];
  for (const { name: namespace, links, devices, refusals } of namespaces)
    for (const link of links.values()) {
      const { name, vxlan } = link;
      if (devices.has(link.ifindex) || (!isVxlan(link) && !names.includes(name))) continue;
      const reason =
        refusals.get(name) ??
        (names.length > 0
          ? 'it is not among --device'
          : 'it has neither l2miss nor l3miss, so it raises no misses');
      found.push({ name, namespace, ...(vxlan === undefined ? {} : { vni: vxlan.vni }), reason });
    }
  for (const name of names)
    if (!namespaces.some(({ links }) => [...links.values()].some((link) => link.name === name)))
      found.push({ name, namespace: '', reason: 'there is no such device yet' });
  return found;
}

import type { VxlanLink } from '../model/vxlan-link.ts';
import type { Strategy } from '../model/strategy.ts';
import type { Link, Vni } from '../base/vocabulary.ts';

export const isVxlan = (link: Link): link is VxlanLink => link.vxlan !== undefined;

type StrategyOf = (vni: Vni) => Strategy;
const onDemand: StrategyOf = () => 'miss';

/** Whether to serve a device: `--device` names it, or without `--device` it raises misses or is written ahead. */
export function isWanted(link: Link, names: readonly string[], strategyOf: StrategyOf = onDemand): boolean {
  if (names.length > 0) return names.includes(link.name);
  const { vxlan } = link;
  return vxlan !== undefined && (vxlan.l2miss || vxlan.l3miss || strategyOf(vxlan.vni) !== 'miss');
}

/** Why a wanted device cannot be served, as a text for the operator; undefined when it can. */
export function refusal(
  link: Link,
  links: ReadonlyMap<number, Link>,
  strategyOf: StrategyOf = onDemand,
): string | undefined {
  if (!isVxlan(link)) return 'it is not a VXLAN device';
  if (link.vxlan.external) return 'it is an external (vnifilter) device, which has no VNI of its own';
  if (link.bridgePort === undefined) return undefined;
  if (strategyOf(link.vxlan.vni) === 'routes')
    return `it is in a bridge, and --strategy ${link.vxlan.vni}=routes is for a host that routes: take it out, or choose miss or preload`;
  const bridge = links.get(link.master);
  if (bridge?.bridge?.vlanFiltering === true)
    return `its bridge ${bridge.name} filters VLANs, so one address may belong to several guests`;
  const other = [...links.values()].find(
    (one) => isVxlan(one) && one.master === link.master && one.ifindex < link.ifindex,
  );
  if (other !== undefined)
    return `its bridge ${bridge?.name ?? link.master} has another VXLAN device, ${other.name}`;
  return undefined;
}

/** What will keep a served device from working as expected, each with the command that fixes it. */
export function cautions(link: VxlanLink, strategy: Strategy = 'miss'): string[] {
  const { vxlan, name, bridgePort } = link;
  const found: string[] = [];
  const bridged = bridgePort !== undefined;
  if (vxlan.group !== undefined)
    found.push(`has a default remote (${vxlan.group}): unknown MACs go there and raise no L2 miss`);
  // Entries written ahead need no misses.
  if (!vxlan.l3miss && strategy === 'miss')
    found.push('has no l3miss: unknown addresses raise no miss (ip link set takes it only at creation)');
  if (!vxlan.l2miss && strategy === 'miss')
    found.push('has no l2miss: unknown MACs raise no miss (ip link set takes it only at creation)');
  if (bridged && !vxlan.proxy)
    found.push('is in a bridge without proxy: the kernel does not answer ARP from its neighbour entries');
  if (vxlan.learning)
    found.push(
      `learns from traffic, so any guest can redirect another's: ip link set ${name} type vxlan nolearning`,
    );
  if (bridgePort?.bcastFlood === false)
    found.push(`gets no broadcasts, so no IPv4 misses: bridge link set dev ${name} bcast_flood on`);
  if (bridgePort?.neighSuppress === true)
    found.push(`suppresses neighbour discovery: bridge link set dev ${name} neigh_suppress off`);
  return found;
}

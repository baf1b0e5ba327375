/** Packets of guests that leave the network get this host's address; only with `--masquerade`. */
import { OwnTable } from '../kernel/nft/own-table.ts';
import type { Network } from '../directory/network.ts';

/** A dash may not be in a name of nftables, an underscore is not in a network's. */
const tableOf = ({ name }: Pick<Network, 'name'>): string => `missd_masquerade_${name.replaceAll('-', '_')}`;

/** @param path of the namespace, null for the daemon's own */
const ownTable = (path: string | null, network: Pick<Network, 'name'>): OwnTable =>
  new OwnTable(path, tableOf(network), /(?!)/, 'inet');

/** What is masqueraded: what comes from the network and goes to none of it. */
export function masqueradeRules({ subnet, subnet6 }: Pick<Network, 'subnet' | 'subnet6'>): string {
  const rules = [subnet, ...(subnet6 === undefined ? [] : [subnet6])].map((one) => {
    const family = one.includes(':') ? 'ip6' : 'ip';
    // Multicast stays as it is (Flannel, network/ipmasq.go).
    const multicast = family === 'ip6' ? 'ff00::/8' : '224.0.0.0/4';
    return `    ${family} saddr ${one} ${family} daddr != { ${one}, ${multicast} } masquerade\n`;
  });
  return `  chain postrouting {\n    type nat hook postrouting priority srcnat; policy accept;\n${rules.join('')}  }\n`;
}

/** Puts the rules in the place of those before, at once. @throws Error with nft's own words */
export const masquerade = (path: string | null, network: Network): Promise<void> =>
  ownTable(path, network).replace(masqueradeRules(network));

/** Whether there are rules of ours. @throws Error with nft's own words */
export const isMasqueraded = (path: string | null, network: Pick<Network, 'name'>): Promise<boolean> =>
  ownTable(path, network).isThere();

/** @throws Error with nft's own words */
export const endMasquerade = (path: string | null, network: Pick<Network, 'name'>): Promise<void> =>
  ownTable(path, network).replace(undefined);

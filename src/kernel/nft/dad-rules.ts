/**
 * The nftables table that keeps duplicate address detection of local guests from VXLAN devices. The device's proxy answers
 * it where a neighbour is held, and a guest that was moved here with its address would give the address up.
 */
import { OwnTable } from './own-table.ts';

/** @param path of the namespace, null for the daemon's own */
export const dadTable = (path: string | null): OwnTable => new OwnTable(path, 'missd_dad', /(?!)/);

const COUNTER = 'detections';

/** @param devices ifindexes of VXLAN devices that are ports of bridges @returns undefined for no table */
export function dadRuleset(devices: readonly number[]): string | undefined {
  if (devices.length === 0) return undefined;
  const through = `oif { ${devices.join(', ')} } goto detection`;
  return `  counter ${COUNTER} { }
  chain forward {
    type filter hook forward priority 0; policy accept;
    ${through}
  }
  chain output {
    type filter hook output priority 0; policy accept;
    ${through}
  }
  chain detection {
    arp operation request arp saddr ip 0.0.0.0 counter name ${COUNTER} drop
    icmpv6 type nd-neighbor-solicit ip6 saddr :: counter name ${COUNTER} drop
  }
`;
}

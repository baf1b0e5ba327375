/**
 * The nftables table that limits broadcasts: each of them is copied to every host that takes part, and a guest that
 * sends a thousand a second would have its host send a hundred thousand.
 */
import type { Mac } from '../../base/vocabulary.ts';

export interface BroadcastLimit {
  /** VXLAN devices that are ports of bridges; with `proxy` ARP ends in the device and is copied to nobody. */
  devices: readonly { ifindex: number; proxy: boolean }[];
  /** Destinations that are copied. */
  groups: readonly Mac[];
  /** Broadcasts a second through a device. */
  rate: number;
  /** Those of one port of its bridge, so that the others' are heard beside it. */
  portRate: number;
}

export const BROADCAST_TABLE = 'missd_broadcast';
/** Of releases that did not mark it. */
export const UNMARKED_BROADCAST = /set groups \{[^]*chain copied \{/;

/** The table whole; what was counted before is gone with the one before. A burst is a second's worth. @returns undefined for no table */
export function broadcastRuleset({ devices, groups, rate, portRate }: BroadcastLimit): string | undefined {
  if (devices.length === 0) return undefined;
  const all = devices.map(({ ifindex }) => ifindex);
  const proxies = devices.filter(({ proxy }) => proxy).map(({ ifindex }) => ifindex);
  const over = (most: number): string => `limit rate over ${most}/second burst ${most} packets`;
  const elements = (list: readonly (number | string)[]): string => `{ ${list.join(', ')} }`;
  return `${all.map((ifindex) => `  counter ${counterOf(ifindex)} { }`).join('\n')}
  set groups { type ether_addr; elements = ${elements(groups)}; }
  set ports { type iface_index; size 65535; flags dynamic, timeout; timeout 1m; }
  set whole { type iface_index; size 65535; flags dynamic, timeout; timeout 1m; }
  chain forward {
    type filter hook forward priority 0; policy accept;
    oif ${elements(all)} ether daddr @groups goto copied
  }
  chain output {
    type filter hook output priority 0; policy accept;
    oif ${elements(all)} ether daddr @groups goto copied
  }
  chain copied {
${proxies.length === 0 ? '' : `    oif ${elements(proxies)} ether type arp accept\n`}\
    update @ports { iif ${over(portRate)} } goto dropped
    update @whole { oif ${over(rate)} } goto dropped
  }
  chain dropped {
    counter name oif map ${elements(all.map((ifindex) => `${ifindex} : "${counterOf(ifindex)}"`))} drop
  }
`;
}

const counterOf = (ifindex: number): string => `dropped${ifindex}`;

/** What was dropped since the table was made, by device. */
export function countersIn(listed: string): Map<number, number> {
  const counters = listed.matchAll(/counter dropped(\d+) \{\s*packets (\d+) /g);
  return new Map([...counters].map(([, ifindex, packets]) => [Number(ifindex), Number(packets)]));
}

/**
 * Counts flooded packets on the underlay: VXLAN packets with a broadcast inside, mostly ARP requests, and VXLAN packets to a
 * multicast group with a unicast frame inside, for which the sender had no entry. Each copy that a host receives counts.
 *
 * Packets to a unicast default destination look like those of an entry, and are not counted.
 */
import { RuntimeFailure } from '../base/errors.ts';
import type { Underlay } from './underlay.ts';

/** Inner Ethernet destination: behind 8 bytes of UDP and 8 of VXLAN. */
const INNER_DESTINATION = '@th,128,48';
const INNER_IS_UNICAST = '@th,128,8 & 1 == 0';

const RULES = `
table bridge lab {
  counter flooded { }
  chain forward {
    type filter hook forward priority 0;
    udp dport 4789 ${INNER_DESTINATION} 0xffffffffffff counter name flooded
    udp dport 4789 ip daddr 224.0.0.0/4 ${INNER_IS_UNICAST} counter name flooded
    udp dport 4789 ip6 daddr ff00::/8 ${INNER_IS_UNICAST} counter name flooded
  }
}
`;

export class FloodCounter {
  readonly #underlay: Underlay;

  /** @throws RuntimeFailure if nft is missing */
  static async start(underlay: Underlay): Promise<FloodCounter> {
    const { code, stderr } = await underlay.namespace.attempt(['nft', '-f', '-'], { input: RULES });
    if (code !== 0)
      throw new RuntimeFailure(`packets cannot be counted, is nftables installed? ${stderr.trim()}`);
    return new FloodCounter(underlay);
  }

  private constructor(underlay: Underlay) {
    this.#underlay = underlay;
  }

  /** Packets since the start. */
  async read(): Promise<number> {
    const text = await this.#underlay.namespace.exec(['nft', 'list', 'counter', 'bridge', 'lab', 'flooded']);
    return Number(/packets (\d+)/.exec(text)?.[1]);
  }
}

/** VXLAN packets that hosts send each other, counted on the underlay's switch by what they carry. */
import type { Underlay } from '../../src/lab/underlay.ts';

/** Behind 8 bytes of UDP and 8 of VXLAN: two MACs, the Ethertype, and what follows. */
const ETHERTYPE = '@th,224,16';
const NEXT_HEADER = '@th,288,8';
const ICMP6_TYPE = '@th,560,8';

const icmp6 = (type: number): string => `${ETHERTYPE} 0x86dd ${NEXT_HEADER} 58 ${ICMP6_TYPE} ${type}`;

const KINDS = {
  arp: `${ETHERTYPE} 0x0806`,
  solicitation: icmp6(135),
  advertisement: icmp6(136),
  ping: icmp6(128),
  /** For experiments (IEEE 802). */
  experiment: `${ETHERTYPE} 0x88b5`,
};

export type Kind = keyof typeof KINDS;
const NAMES = Object.keys(KINDS) as Kind[];

export class UnderlayTap {
  readonly #underlay: Underlay;

  static async start(underlay: Underlay): Promise<UnderlayTap> {
    const rules = `table bridge tap {
${NAMES.map((kind) => `counter seen_${kind} { }`).join('\n')}
chain forward {
type filter hook forward priority 0;
${NAMES.map((kind) => `udp dport 4789 ${KINDS[kind]} counter name seen_${kind}`).join('\n')}
}
}`;
    await underlay.namespace.exec(['nft', '-f', '-'], { input: rules });
    return new UnderlayTap(underlay);
  }

  private constructor(underlay: Underlay) {
    this.#underlay = underlay;
  }

  /** Packets since the start; each copy counts. */
  async seen(): Promise<Record<Kind, number>> {
    const text = await this.#underlay.namespace.exec(['nft', 'list', 'counters', 'table', 'bridge', 'tap']);
    const of = (kind: Kind): number =>
      Number(new RegExp(`counter seen_${kind} \\{\\s*packets (\\d+)`).exec(text)?.[1]);
    return Object.fromEntries(NAMES.map((kind) => [kind, of(kind)])) as Record<Kind, number>;
  }
}

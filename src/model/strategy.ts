import type { Vni } from '../base/vocabulary.ts';

/** How the entries of a VNI come about; every one of them answers misses, too. */
export const STRATEGIES = [
  /** On demand. */
  'miss',
  /** All endpoints of the directory ahead, as Docker does. */
  'preload',
  /** A route, a neighbour and an FDB entry ahead for every subnet lease, as Flannel does since its second generation. */
  'routes',
] as const;
export type Strategy = (typeof STRATEGIES)[number];

/** One `--strategy`. */
export interface VniStrategy {
  vni: Vni;
  strategy: Strategy;
}

/** @returns the strategy of a VNI, `miss` where none was chosen */
export const strategyOf = (chosen: readonly VniStrategy[], vni: Vni): Strategy =>
  chosen.find((one) => one.vni === vni)?.strategy ?? 'miss';

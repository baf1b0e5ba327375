import { isDeepStrictEqual } from 'node:util';
import type { Network } from '../directory/network.ts';

/** What a host can follow while its guests go on: everything but what the device was made with. */
const FIXED = [
  'vni',
  'mode',
  'subnet',
  'subnet6',
  'leaseLength',
  'port',
] as const satisfies (keyof Network)[];

/** @returns what is in force from now on, the same object where nothing changes; and fields that need a rejoin */
export function changeOf(before: Network, now: Network): { network: Network; ignored: string[] } {
  const ignored = FIXED.filter((key) => !isDeepStrictEqual(before[key], now[key]));
  const kept = Object.fromEntries(
    FIXED.flatMap((key) => (before[key] === undefined ? [] : [[key, before[key]]])),
  );
  const network = { ...now, ...kept };
  // Absent before, so that `kept` does not have it.
  if (before.subnet6 === undefined) delete network.subnet6;
  return { network: isDeepStrictEqual(network, before) ? before : network, ignored };
}

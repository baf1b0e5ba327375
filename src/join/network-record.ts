/** The record of a network that this host has joined, and what of a changed one is followed. */
import { isDeepStrictEqual } from 'node:util';
import { reasonOf } from '../base/errors.ts';
import { DirectoryError } from '../directory/directory.ts';
import type { Network } from '../directory/network.ts';
import type { JoinDeps } from './joining.ts';

/**
 * @param before the network in force; undefined where it was never read
 * @returns the network in force from now on, the same object where nothing changes; undefined where there never was a record
 * @throws DirectoryError, UsageError where it cannot be read and never was
 */
export async function readRecord(
  name: string,
  before: Network | undefined,
  { directory, log, complaints }: Pick<JoinDeps, 'directory' | 'log' | 'complaints'>,
): Promise<Network | undefined> {
  let found: Network | undefined;
  try {
    found = await directory.network(name);
  } catch (error) {
    if (before === undefined) throw error;
    if (!(error instanceof DirectoryError))
      complaints.warn(`network ${name}: its record is not used`, reasonOf(error));
    return before;
  }
  if (before === undefined) return found;
  if (found === undefined) {
    complaints.warn(`network ${name}`, 'its record is gone; what stands is kept');
    return before;
  }
  const { network, ignored } = changeOf(before, found);
  if (ignored.length > 0)
    complaints.warn(`network ${name}: another ${ignored.join(', ')}`, 'needs missd leave and a restart');
  if (network !== before) log.info(`network ${name}: its record has changed`);
  return network;
}

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
function changeOf(before: Network, now: Network): { network: Network; ignored: string[] } {
  const ignored = FIXED.filter((key) => !isDeepStrictEqual(before[key], now[key]));
  const kept = Object.fromEntries(
    FIXED.flatMap((key) => (before[key] === undefined ? [] : [[key, before[key]]])),
  );
  const network = { ...now, ...kept };
  // Absent before, so that `kept` does not have it.
  if (before.subnet6 === undefined) delete network.subnet6;
  return { network: isDeepStrictEqual(network, before) ? before : network, ignored };
}

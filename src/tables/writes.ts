/** Entries as missd writes them. */
import type { EntryWrite } from '../kernel/kernel.ts';
import type { ServedDevice } from '../served/device.ts';
import { OUR_FDB, OUR_NEIGHBOUR, OUR_ROUTER_FDB } from './ownership.ts';

export const fdbWrite = (
  device: ServedDevice,
  entry: { mac: string; vtep: string; router: boolean },
): EntryWrite & { table: 'fdb' } => ({
  table: 'fdb',
  op: 'create',
  ifindex: device.ifindex,
  lladdr: entry.mac,
  vtep: entry.vtep,
  ...(entry.router ? OUR_ROUTER_FDB : OUR_FDB),
});

export const neighbourWrite = (
  device: ServedDevice,
  ip: string,
  lladdr: string,
): EntryWrite & { table: 'neighbour' } => ({
  table: 'neighbour',
  op: 'create',
  ifindex: device.ifindex,
  ip,
  lladdr,
  ...OUR_NEIGHBOUR,
});

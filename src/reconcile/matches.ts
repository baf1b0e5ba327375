/** Whether a row of the kernel equals the held entry. */
import { NTF_ROUTER } from '../kernel/netlink.ts';
import type { ServedDevice } from '../model/device.ts';
import type { HeldFdbEntry, HeldNeighbour } from '../model/desired-tables.ts';
import { isOurFdbEntry, isOurNeighbour } from '../entries/ownership.ts';
import { viaOf } from '../entries/writes.ts';
import type { FdbEntry, Neighbour } from '../base/vocabulary.ts';

export const isFdbAsHeld = (device: ServedDevice, held: HeldFdbEntry, row: FdbEntry | undefined): boolean =>
  row !== undefined &&
  isOurFdbEntry(row) &&
  row.vtep === held.vtep &&
  row.via === viaOf(device, held.vtep) &&
  ((row.flags & NTF_ROUTER) !== 0) === held.router;

export const isNeighbourAsHeld = (held: HeldNeighbour, row: Neighbour | undefined): boolean =>
  row !== undefined && isOurNeighbour(row) && row.lladdr === held.mac;

/**
 * Compares a device's tables with the held entries, and repairs the differences:
 *
 *   missing                           written again
 *   changed, not permanent            deleted and written again: flags cannot be changed in place
 *   permanent over ours               an operator's override: it wins, is counted and reported
 *   ours by its marks, but not held   adopted, and its record read: the FDB entry stays ours only if the record agrees
 *   an FDB entry of a second owner    left, and reported where it differs
 *   the kernel's leftovers, bridged   removed: they swallow ARP requests without raising a miss
 *   local by now                      withdrawn
 *   unused for long                   withdrawn (aging.ts)
 *
 * The dump is already old when it is compared, so each differing row is read again before it is repaired.
 */
import type { PipelineDeps } from '../resolver/pipeline.ts';
import type { Recheck } from './full-resync.ts';
import { setImmediate as turn } from 'node:timers/promises';
import { chunks } from '../base/chunks.ts';
import type { EntryWrite } from '../kernel/kernel.ts';
import { NTF_ROUTER } from '../kernel/netlink.ts';
import { increment } from '../model/counters.ts';
import type { ServedDevice } from '../model/device.ts';
import { disown } from '../entries/disown.ts';
import { signedByOthers } from '../entries/evidence.ts';
import {
  isKernelLeftover,
  isStaleProbe,
  isOurFdbEntry,
  isOurNeighbour,
  isPermanent,
} from '../entries/ownership.ts';
import { ALL_ZEROS, isGroup } from '../base/mac.ts';
import { ADOPTED } from '../model/port-quotas.ts';
import { fdbRemoval, fdbWrite, neighbourRemoval, neighbourWrite } from '../entries/writes.ts';
import type { FdbEntry, Neighbour } from '../base/vocabulary.ts';
import { withdrawFdb, withdrawNeighbours } from '../entries/remove.ts';
import { isFdbAsHeld, isNeighbourAsHeld } from './matches.ts';
import { withdrawIdle } from './aging.ts';
import type { Rows } from './table-monitor.ts';

/**
 * @param rows the tables as read a moment ago
 * @param idleBefore entries last used before this are withdrawn, monotonic ms
 * @returns adopted entries, whose records are to be read
 */
export async function audit(
  device: ServedDevice,
  { fdb, neighbours, macs: suspectMacs, ips: suspectIps }: Rows,
  idleBefore: number,
  deps: PipelineDeps,
): Promise<Recheck[]> {
  const { tables } = device;
  withdrawLocal(device, deps);

  const macs: string[] = [];
  for (const held of heldUnder(tables.fdb, suspectMacs))
    if (!isFdbAsHeld(device, held, fdb.get(held.mac))) macs.push(held.mac);
  for (const chunk of chunks(macs)) {
    repairFdb(device, chunk, deps);
    await turn();
  }
  const ips: string[] = [];
  for (const held of heldUnder(tables.neighbours, suspectIps))
    if (!isNeighbourAsHeld(held, neighbours.get(held.ip))) ips.push(held.ip);
  for (const chunk of chunks(ips)) {
    repairNeighbours(device, chunk, deps);
    await turn();
  }
  reportDefaultRemote(device, deps);
  const adopted = adoptOrphans(device, [...fdb.values()], [...neighbours.values()], deps);
  removeLeftovers(device, [...neighbours.values()], deps);
  await withdrawIdle(device, idleBefore, deps);
  return adopted;
}

/**
 * Reports an all-zeros FDB entry: frames to unknown MACs follow it and raise no L2 miss. It is foreign and stays.
 */
function reportDefaultRemote(device: ServedDevice, { report }: PipelineDeps): void {
  const { namespace, ifindex } = device;
  const [row] = namespace.kernel.getFdb([{ ifindex, lladdr: ALL_ZEROS }]);
  device.defaultRemote = row?.vtep;
  if (row?.vtep !== undefined && device.link.vxlan.l2miss)
    report.conflict(
      device,
      'default_remote',
      `frames to unknown MACs go to ${row.vtep} by an all-zeros FDB entry, so there are no L2 misses`,
    );
}

/** The held entries under these keys. */
function* heldUnder<T>(held: ReadonlyMap<string, T>, keys: ReadonlySet<string>): Generator<T> {
  for (const key of keys) {
    const one = held.get(key);
    if (one !== undefined) yield one;
  }
}

/** Withdraws entries that are local by now, because this host's VTEP or an interface's address has changed. */
export function withdrawLocal(device: ServedDevice, { isOwnVtep, report, counters }: PipelineDeps): void {
  const { tables, namespace } = device;
  const macs: string[] = [];
  for (const { mac, vtep } of tables.fdb.values()) if (isOwnVtep(vtep)) macs.push(mac);
  const assigned: string[] = [];
  for (const ip of tables.neighbours.keys()) if (namespace.isAssigned(ip)) assigned.push(ip);
  const ips = [...new Set([...assigned, ...macs.flatMap((mac) => tables.users(mac))])];
  if (ips.length + macs.length === 0) return;
  increment(counters.reconcileChanges, 'withdrawn_local', ips.length + macs.length);
  withdrawNeighbours(device, ips, report);
  withdrawFdb(device, macs, report);
}

/** Restores missing FDB entries and repairs changed ones. Reads each row again first. */
export function repairFdb(device: ServedDevice, macs: string[], deps: PipelineDeps): void {
  const { tables, namespace, ifindex } = device;
  const rows = namespace.kernel.getFdb(macs.map((lladdr) => ({ ifindex, lladdr })));
  const signed = signedByOthers(device, macs);
  const writes: EntryWrite[] = [];
  macs.forEach((mac, index) => {
    const held = tables.fdb.get(mac);
    const row = rows[index];
    if (held === undefined || isFdbAsHeld(device, held, row)) return;
    if (tables.unproven.has(mac)) {
      // Its owner has removed or changed it.
      tables.deleteFdb(mac);
      return;
    }
    if (row !== undefined && signed.has(mac) && isOurFdbEntry(row) && row.vtep !== held.vtep) {
      deps.report.conflict(
        device,
        'foreign_fdb',
        `${mac} is behind ${held.vtep} by the directory, ${row.vtep ?? 'nowhere'} by another control plane`,
      );
      return;
    }
    const wanted = fdbWrite(device, held);
    if (row !== undefined && isPermanent(row)) {
      deps.report.conflict(
        device,
        'overridden',
        `${mac} is behind ${row.vtep ?? 'nowhere'} by a permanent entry`,
      );
      return;
    }
    if (row !== undefined) writes.push(fdbRemoval(ifindex, mac));
    writes.push(wanted);
    deps.report.mended(device, row === undefined ? 'restored_fdb' : 'repaired_fdb', mac);
  });
  write(device, writes, 'fdb', deps);
}

function repairNeighbours(device: ServedDevice, ips: string[], deps: PipelineDeps): void {
  const { tables, namespace, ifindex } = device;
  const rows = namespace.kernel.getNeighbours(ips.map((ip) => ({ ifindex, ip })));
  const writes: EntryWrite[] = [];
  ips.forEach((ip, index) => {
    const held = tables.neighbours.get(ip);
    const row = rows[index];
    if (held === undefined || isNeighbourAsHeld(held, row)) return;
    if (row !== undefined && isStaleProbe(row) && tables.staleProbes.has(ip)) return;
    tables.staleProbes.delete(ip);
    if (row !== undefined && isPermanent(row)) {
      deps.report.conflict(device, 'overridden', `${ip} is ${row.lladdr ?? 'nothing'} by a permanent entry`);
      return;
    }
    const wanted = neighbourWrite(device, ip, held.mac);
    if (row !== undefined) writes.push(neighbourRemoval(ifindex, ip));
    writes.push(wanted);
    deps.report.mended(device, row === undefined ? 'restored_neighbour' : 'repaired_neighbour', ip);
  });
  write(device, writes, 'neighbour', deps);
}

/** Adopts rows with our marks that are not held: a predecessor or a copying control plane wrote them. Their records decide. */
function adoptOrphans(
  device: ServedDevice,
  fdb: FdbEntry[],
  neighbours: Neighbour[],
  deps: PipelineDeps,
): Recheck[] {
  const { tables, namespace, ifindex, foreign } = device;
  const now = deps.now();
  const rechecks: Recheck[] = [];
  const ips = neighbours.filter((row) => isOurNeighbour(row) && !tables.neighbours.has(row.ip));
  for (const row of namespace.kernel.getNeighbours(ips.map(({ ip }) => ({ ifindex, ip })))) {
    if (row?.lladdr === undefined || !isOurNeighbour(row) || tables.neighbours.has(row.ip)) continue;
    const { ip, lladdr: mac } = row;
    const source = { kind: 'adopted' as const, name: ip };
    tables.setNeighbour({ ip, mac, source, checkedAt: now, usedAt: now }, ADOPTED);
    rechecks.push({ device, table: 'neighbour', key: ip, cause: 'change' });
    deps.report.mended(device, 'adopted_neighbour', ip);
  }
  const macs = fdb
    .filter((row) => isOurFdbEntry(row) && !tables.fdb.has(row.lladdr) && !isGroup(row.lladdr))
    .filter(({ lladdr, vtep }) => foreign.get(lladdr) !== vtep)
    .map(({ lladdr }) => lladdr);
  const signed = signedByOthers(device, macs);
  for (const row of namespace.kernel.getFdb(macs.map((lladdr) => ({ ifindex, lladdr })))) {
    if (row?.vtep === undefined || !isOurFdbEntry(row) || tables.fdb.has(row.lladdr)) continue;
    if (signed.has(row.lladdr)) {
      disown(device, row, deps.report);
      continue;
    }
    const { lladdr: mac, vtep, flags } = row;
    const source = { kind: 'adopted' as const, name: mac };
    const router = (flags & NTF_ROUTER) !== 0;
    tables.setFdb({ mac, vtep, router, source, checkedAt: now, usedAt: now }, ADOPTED);
    // A neighbour of ours with this MAC proves that the FDB entry is ours.
    if (tables.userCount(mac) === 0) tables.unproven.set(mac, 'found');
    else deps.report.mended(device, 'adopted_fdb', mac);
    rechecks.push({ device, table: 'fdb', key: mac, cause: 'change' });
  }
  return rechecks;
}

function removeLeftovers(device: ServedDevice, neighbours: Neighbour[], deps: PipelineDeps): void {
  if (device.bridge === 0) return;
  const { tables, namespace, ifindex } = device;
  const ips = neighbours.filter((row) => isKernelLeftover(row) && !tables.neighbours.has(row.ip));
  const writes: EntryWrite[] = [];
  for (const row of namespace.kernel.getNeighbours(ips.map(({ ip }) => ({ ifindex, ip })))) {
    if (row === undefined || !isKernelLeftover(row) || tables.neighbours.has(row.ip)) continue;
    writes.push(neighbourRemoval(ifindex, row.ip));
    deps.report.mended(device, 'removed_leftover', row.ip);
  }
  write(device, writes, 'neighbour', deps);
}

function write(
  device: ServedDevice,
  writes: EntryWrite[],
  table: 'neighbour' | 'fdb',
  { report }: PipelineDeps,
): void {
  if (writes.length === 0) return;
  for (const { index, error } of device.namespace.kernel.write(writes))
    if (writes[index]?.op !== 'delete') report.failed(device, table, error);
}

/**
 * Withdraws entries that have gone unused. The FDB tells when it last forwarded to a MAC, which proves the use of a
 * neighbour only while no other neighbour shares the MAC. For neighbours that share one:
 *
 *   bridged   A guest that uses an address asks for it now and then, and the tap sees the ARP request or solicitation. A
 *             guest whose own entry is confirmed by incoming traffic never asks; its FDB entry stays.
 *   routed    The neighbour is rewritten as STALE (a stale probe). It goes on forwarding, and the kernel moves it out of
 *             STALE only when it is used.
 */
import type { PipelineDeps } from '../resolver/pipeline.ts';
import type { MissBatch } from '../model/question.ts';
import { setImmediate as turn } from 'node:timers/promises';
import { chunks } from '../base/chunks.ts';
import { attemptOn } from '../base/guarded-lane.ts';
import type { EntryWrite } from '../kernel/kernel.ts';
import { NUD_NOARP, NUD_STALE } from '../kernel/netlink.ts';
import { increment } from '../model/counters.ts';
import type { ServedDevice } from '../model/device.ts';
import type { HeldFdbEntry, HeldNeighbour } from '../model/desired-tables.ts';
import { isStaleProbe, isOurNeighbour } from '../entries/ownership.ts';
import { removeNeighbours, withdrawFdb } from '../entries/remove.ts';
import { neighbourWrite } from '../entries/writes.ts';

/**
 * Withdraws entries last used before `idleBefore` (monotonic ms), except those that a strategy installs in advance.
 * Notes the latest use of all others, so that they are not checked again before they can be idle.
 */
export async function withdrawIdle(
  device: ServedDevice,
  idleBefore: number,
  deps: PipelineDeps,
): Promise<void> {
  const { tables } = device;
  if (device.strategy === 'preload') return;
  const gateways = new Set(device.routes.values());
  const unused: HeldNeighbour[] = [];
  for (const held of tables.neighbours.values())
    if (held.usedAt < idleBefore && !gateways.has(held.ip)) unused.push(held);
  for (const chunk of chunks(unused)) {
    // Entries used or rewritten while the loop turned wait for the next audit.
    const some = chunk.filter((held) => tables.neighbours.get(held.ip) === held && held.usedAt < idleBefore);
    const alone = some.filter(({ mac }) => tables.userCount(mac) === 1);
    const shared = some.filter(({ mac }) => tables.userCount(mac) > 1);
    endStaleProbes(device, alone, deps);
    const idle = notForwarding(device, alone, idleBefore, deps);
    idle.push(...(device.bridge === 0 ? runStaleProbes : unasked)(device, shared, idleBefore, deps));
    const ips = idle.map(({ ip }) => ip);
    increment(deps.counters.reconcileChanges, 'idle', ips.length);
    deps.report.removed(device, ips, 'idle');
    removeNeighbours(device, ips, deps.report);
    await turn();
  }
  // FDB entries without a neighbour come last: only forwarding counts as their use.
  const lone: HeldFdbEntry[] = [];
  for (const held of tables.lone.values()) if (held.usedAt < idleBefore) lone.push(held);
  for (const chunk of chunks(lone)) {
    const some = chunk.filter((held) => tables.lone.get(held.mac) === held && held.usedAt < idleBefore);
    const macs = notForwarding(device, some, idleBefore, deps).map(({ mac }) => mac);
    increment(deps.counters.reconcileChanges, 'idle', macs.length);
    deps.report.removed(device, macs, 'idle');
    withdrawFdb(device, macs, deps.report);
    await turn();
  }
}

/** Entries whose FDB row has not forwarded since `idleBefore`. A missing row counts as used now, because its use is unknown. */
function notForwarding<T extends HeldNeighbour | HeldFdbEntry>(
  { namespace, ifindex }: ServedDevice,
  all: T[],
  idleBefore: number,
  deps: PipelineDeps,
): T[] {
  if (all.length === 0) return [];
  const now = deps.now();
  const rows = namespace.kernel.getFdb(all.map(({ mac }) => ({ ifindex, lladdr: mac })));
  return all.filter((held, index) => {
    const forwarded = Math.trunc(now - (rows[index]?.usedAgo ?? 0));
    if (forwarded < idleBefore) return true;
    held.usedAt = Math.max(held.usedAt, forwarded);
    return false;
  });
}

/** A miss for a neighbour under a stale probe proves its use. The held MAC answers it, even without a directory. */
export function onMisses({ misses, deviceOf }: MissBatch, deps: PipelineDeps): void {
  for (const { layer, ifindex, address } of misses) {
    const device = layer === 'l3' ? deviceOf(ifindex) : undefined;
    const held = device?.tables.staleProbes.has(address) ? device.tables.neighbours.get(address) : undefined;
    if (device !== undefined && held !== undefined)
      attemptOn(device, 'idle', () => endStaleProbes(device, [held], deps), deps.report);
  }
}

/** Bridged: neighbours with a shared MAC that no guest has asked for. */
function unasked(
  { namespace, ifindex }: ServedDevice,
  shared: HeldNeighbour[],
  idleBefore: number,
  { now }: PipelineDeps,
): HeldNeighbour[] {
  if (shared.length === 0) return [];
  const ago = namespace.kernel.lastAsked(shared.map(({ ip }) => ({ vxlan: ifindex, ip })));
  return shared.filter((held, index) => {
    const asked = Math.trunc(now() - (ago[index] ?? Infinity));
    if (asked < idleBefore) return true;
    held.usedAt = Math.max(held.usedAt, asked);
    return false;
  });
}

/** Routed: begins and ends stale probes. @returns neighbours still STALE after half of `--idle` */
function runStaleProbes(
  device: ServedDevice,
  shared: HeldNeighbour[],
  idleBefore: number,
  deps: PipelineDeps,
): HeldNeighbour[] {
  const { tables } = device;
  const now = deps.now();
  const due = now - (now - idleBefore) / 2;
  const rows = rowsOf(device, shared);
  const begin = shared.filter(({ ip }, index) => !tables.staleProbes.has(ip) && isOurs(rows[index]));
  const used = shared.filter(
    ({ ip }, index) => tables.staleProbes.has(ip) && isOurs(rows[index]) && rows[index]?.state !== NUD_STALE,
  );
  const idle = shared.filter(
    ({ ip }, index) => (tables.staleProbes.get(ip) ?? Infinity) <= due && rows[index]?.state === NUD_STALE,
  );
  for (const { ip } of begin) tables.staleProbes.set(ip, now);
  device.namespace.kernel.write(begin.map((held) => rewrite(device, held, NUD_STALE)));
  endStaleProbes(device, used, deps);
  return idle;
}

/** Rewrites neighbours as NOARP and counts them as used now. Rows with other marks are left to the audit. */
function endStaleProbes(device: ServedDevice, all: readonly HeldNeighbour[], { now }: PipelineDeps): void {
  const { tables, namespace } = device;
  const ending = all.filter(({ ip }) => tables.staleProbes.delete(ip));
  if (ending.length === 0) return;
  const rows = rowsOf(device, ending);
  const ours = ending.filter((_, index) => isOurs(rows[index]));
  for (const held of ending) held.usedAt = now();
  namespace.kernel.write(ours.map((held) => rewrite(device, held, NUD_NOARP)));
}

/**
 * Ends every stale probe of a device that joined or left a bridge. On a bridge a STALE neighbour neither answers guests
 * nor raises a miss.
 */
export function endAllStaleProbes(device: ServedDevice, deps: PipelineDeps): void {
  const { staleProbes, neighbours } = device.tables;
  endStaleProbes(
    device,
    [...staleProbes.keys()].flatMap((ip) => neighbours.get(ip) ?? []),
    deps,
  );
}

type Row = ReturnType<typeof rowsOf>[number];

const rowsOf = ({ namespace, ifindex }: ServedDevice, all: readonly HeldNeighbour[]) =>
  all.length === 0 ? [] : namespace.kernel.getNeighbours(all.map(({ ip }) => ({ ifindex, ip })));

const isOurs = (row: Row): boolean => row !== undefined && (isOurNeighbour(row) || isStaleProbe(row));

const rewrite = (device: ServedDevice, { ip, mac }: HeldNeighbour, state: number): EntryWrite => ({
  ...neighbourWrite(device, ip, mac),
  op: 'replace',
  state,
});

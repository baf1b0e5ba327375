/**
 * Which entries have gone unused. The FDB tells when it last forwarded to a MAC; that speaks for a neighbour only while
 * no other shares the MAC. Otherwise:
 *
 *   bridged   a guest that uses an address asks for it now and then, and the tap sees it ask. One whose own entry is
 *             confirmed by what it receives never does; it goes on sending to the FDB entry, which stays.
 *   routed    a neighbour rewritten as STALE goes on forwarding, and leaves that state only if it is used
 */
import { chunks } from '../base/chunks.ts';
import type { PipelineDeps } from '../resolver/pipeline.ts';
import type { MissBatch } from '../model/question.ts';
import { setImmediate as turn } from 'node:timers/promises';
import { attemptOn } from '../base/guarded-lane.ts';
import type { EntryWrite } from '../kernel/kernel.ts';
import { NUD_NOARP, NUD_STALE } from '../kernel/netlink.ts';
import { increment } from '../model/counters.ts';
import type { ServedDevice } from '../model/device.ts';
import type { HeldFdbEntry, HeldNeighbour } from '../model/desired-tables.ts';
import { isStaleProbe, isOurNeighbour } from '../entries/ownership.ts';
import { removeNeighbours, withdrawFdb } from '../entries/remove.ts';
import { neighbourWrite } from '../entries/writes.ts';

/** Neighbours looked at in one go; the event loop turns in between. */
const AT_ONCE = 500;

/**
 * Withdraws what was last used before `idleBefore` (monotonic ms) and not written ahead. What turns out to have been used
 * since is noted, and is not looked at again before it could be idle.
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
  for (const chunk of chunks(unused, AT_ONCE)) {
    // What was used, or written anew, while the loop turned is looked at the next time.
    const some = chunk.filter((held) => tables.neighbours.get(held.ip) === held && held.usedAt < idleBefore);
    const alone = some.filter(({ mac }) => tables.userCount(mac) === 1);
    const shared = some.filter(({ mac }) => tables.userCount(mac) > 1);
    endProbation(device, alone, deps);
    const idle = notForwarding(device, alone, idleBefore, deps);
    idle.push(...(device.bridge === 0 ? onTrial : unasked)(device, shared, idleBefore, deps));
    const ips = idle.map(({ ip }) => ip);
    increment(deps.counters.reconcileChanges, 'idle', ips.length);
    deps.report.removed(device, ips, 'idle');
    removeNeighbours(device, ips, deps.report);
    await turn();
  }
  // Last, since an FDB entry is used for as long as it forwards, whoever has asked for what.
  const lone: HeldFdbEntry[] = [];
  for (const held of tables.lone.values()) if (held.usedAt < idleBefore) lone.push(held);
  for (const chunk of chunks(lone, AT_ONCE)) {
    const some = chunk.filter((held) => tables.lone.get(held.mac) === held && held.usedAt < idleBefore);
    const macs = notForwarding(device, some, idleBefore, deps).map(({ mac }) => mac);
    increment(deps.counters.reconcileChanges, 'idle', macs.length);
    deps.report.removed(device, macs, 'idle');
    withdrawFdb(device, macs, deps.report);
    await turn();
  }
}

/** Those whose FDB entry has not forwarded since. How long a missing one was not used is not known. */
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

/** The kernel asks for a neighbour that is on probation: it is used. Answered from what is held, so also without a directory. */
export function onMisses({ misses, deviceOf }: MissBatch, deps: PipelineDeps): void {
  for (const { layer, ifindex, address } of misses) {
    const device = layer === 'l3' ? deviceOf(ifindex) : undefined;
    const held = device?.tables.probation.has(address) ? device.tables.neighbours.get(address) : undefined;
    if (device !== undefined && held !== undefined)
      attemptOn(device, 'idle', () => endProbation(device, [held], deps), deps.report);
  }
}

/** Of neighbours that share their MAC on a bridge: those that nobody has asked for. */
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

/** The same in the routed topology: those that were put on probation half of `--idle` ago and are STALE still. */
function onTrial(
  device: ServedDevice,
  shared: HeldNeighbour[],
  idleBefore: number,
  deps: PipelineDeps,
): HeldNeighbour[] {
  const { tables } = device;
  const now = deps.now();
  const due = now - (now - idleBefore) / 2;
  const rows = rowsOf(device, shared);
  const begin = shared.filter(({ ip }, index) => !tables.probation.has(ip) && isOurs(rows[index]));
  const used = shared.filter(
    ({ ip }, index) => tables.probation.has(ip) && isOurs(rows[index]) && rows[index]?.state !== NUD_STALE,
  );
  const idle = shared.filter(
    ({ ip }, index) => (tables.probation.get(ip) ?? Infinity) <= due && rows[index]?.state === NUD_STALE,
  );
  for (const { ip } of begin) tables.probation.set(ip, now);
  device.namespace.kernel.write(begin.map((held) => rewrite(device, held, NUD_STALE)));
  endProbation(device, used, deps);
  return idle;
}

/** Makes neighbours what they were; they have been used now. Whatever else stands there by now is the audit's. */
function endProbation(device: ServedDevice, all: readonly HeldNeighbour[], { now }: PipelineDeps): void {
  const { tables, namespace } = device;
  const ending = all.filter(({ ip }) => tables.probation.delete(ip));
  if (ending.length === 0) return;
  const rows = rowsOf(device, ending);
  const ours = ending.filter((_, index) => isOurs(rows[index]));
  for (const held of ending) held.usedAt = now();
  namespace.kernel.write(ours.map((held) => rewrite(device, held, NUD_NOARP)));
}

/**
 * The device became a bridge's port, or is none any more. On a bridge a STALE neighbour neither answers guests nor raises
 * a miss: none may be left.
 */
export function endAllProbation(device: ServedDevice, deps: PipelineDeps): void {
  const { probation, neighbours } = device.tables;
  endProbation(
    device,
    [...probation.keys()].flatMap((ip) => neighbours.get(ip) ?? []),
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

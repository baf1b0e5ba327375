/**
 * Which entries have gone unused. The FDB tells when it last forwarded to a MAC; that speaks for a neighbour only while
 * no other shares the MAC. Otherwise:
 *
 *   bridged   a guest that uses an address asks for it again every half minute or so, and the tap sees it ask
 *   routed    a neighbour rewritten as STALE goes on forwarding, and leaves that state only if it is used
 */
import type { EntryWrite } from '../kernel/kernel.ts';
import { NUD_NOARP, NUD_STALE } from '../kernel/netlink.ts';
import { increment } from '../metrics/counters.ts';
import type { PipelineDeps } from '../resolve/deps.ts';
import type { ServedDevice } from '../served/device.ts';
import type { HeldNeighbour } from '../tables/held.ts';
import { neighbourWrite } from '../tables/writes.ts';
import { isPermanent } from '../tables/ownership.ts';
import { withdrawFdb, withdrawNeighbours } from '../tables/withdraw.ts';
import type { FdbEntry, Neighbour } from '../vocabulary.ts';

/** Withdraws what was last used before `idleBefore` (monotonic ms), by what the dumps show. */
export function withdrawIdle(
  device: ServedDevice,
  fdb: ReadonlyMap<string, FdbEntry>,
  neighbours: ReadonlyMap<string, Neighbour>,
  idleBefore: number,
  deps: PipelineDeps,
): void {
  const { tables, namespace } = device;
  const now = deps.now();
  // A row that was missing has just been written again: how long it was not used is not known.
  const forwarded = (mac: string): number => now - (fdb.get(mac)?.usedAgo ?? 0);
  const ips: string[] = [];
  for (const held of tables.neighbours.values()) {
    if (held.usedAt >= idleBefore) continue;
    const shared = tables.userCount(held.mac) > 1;
    if (!shared && tables.probation.delete(held.ip))
      namespace.kernel.write([{ ...neighbourWrite(device, held.ip, held.mac), op: 'replace' }]);
    const idle = shared
      ? isSharedIdle(device, held, neighbours.get(held.ip), idleBefore, deps)
      : forwarded(held.mac) < idleBefore;
    if (idle) ips.push(held.ip);
  }
  const macs = [...tables.fdb.values()]
    .filter(
      ({ mac, usedAt }) => tables.userCount(mac) === 0 && usedAt < idleBefore && forwarded(mac) < idleBefore,
    )
    .map(({ mac }) => mac);
  if (ips.length + macs.length === 0) return;
  increment(deps.counters.reconcileChanges, 'idle', ips.length + macs.length);
  withdrawNeighbours(device, ips, deps.report);
  withdrawFdb(device, macs, deps.report);
}

function isSharedIdle(
  device: ServedDevice,
  held: HeldNeighbour,
  row: Neighbour | undefined,
  idleBefore: number,
  deps: PipelineDeps,
): boolean {
  const { tables, namespace } = device;
  if (device.bridge !== 0) {
    const [ago] = namespace.kernel.lastAsked([{ vxlan: device.ifindex, ip: held.ip }]);
    return ago === undefined || deps.now() - ago < idleBefore;
  }
  const now = deps.now();
  const since = tables.probation.get(held.ip);
  const idle = now - idleBefore;
  const wanted = neighbourWrite(device, held.ip, held.mac);
  const rewrite = (state: number): EntryWrite => ({ ...wanted, op: 'replace', state });
  // Gone or an operator's by now: that is the audit's to mend or to report.
  if (row === undefined || isPermanent(row)) return false;
  if (since === undefined) {
    tables.probation.set(held.ip, now);
    namespace.kernel.write([rewrite(NUD_STALE)]);
    return false;
  }
  if (row.state === NUD_STALE) return now - since >= idle / 2;
  // It has been used since: ours again, for another round.
  tables.probation.delete(held.ip);
  namespace.kernel.write([rewrite(NUD_NOARP)]);
  held.usedAt = now;
  return false;
}

/** Brings held entries in line with what their records say now. */
import type { PipelineDeps } from '../resolver/pipeline.ts';
import type { Recheck } from './full-resync.ts';
import { groupBy } from '../base/group-by.ts';
import type { Answer, Placement } from '../model/question.ts';
import type { ServedDevice } from '../model/device.ts';
import { disownAll } from '../entries/disown.ts';
import { install } from '../entries/install.ts';
import { forgetBehindTunnel } from '../entries/bridge-rows.ts';
import { withdrawFdb, withdrawNeighbours } from '../entries/remove.ts';
import type { Verdict } from './recheck.ts';

/** Follow-up work of applying verdicts. */
export interface Applied {
  /** Entries without a record; the caller decides when they are withdrawn. */
  lost: Recheck[];
  /** Entries to recheck, because the record that their FDB entry followed is gone. */
  again: Recheck[];
}

/** All verdicts must be of one namespace. */
export function apply(verdicts: readonly Verdict[], deps: PipelineDeps): Applied {
  const lost: Recheck[] = [];
  const again: Recheck[] = [];
  const placements: Placement[] = [];
  const unowned: Recheck[] = [];
  for (const { recheck, answer } of verdicts) {
    const { device, table, key } = recheck;
    const held = table === 'neighbour' ? device.tables.neighbours.get(key) : device.tables.fdb.get(key);
    // Withdrawn while it was read.
    if (held === undefined) continue;
    if (answer === undefined && table === 'fdb' && device.tables.unproven.has(key)) unowned.push(recheck);
    else if (answer === undefined) lost.push(recheck);
    else if (answer === 'as_held') confirm(recheck, deps.now());
    else if (deps.isOwnVtep(answer.vtep)) again.push(...becameLocal(device, recheck, answer, deps));
    else if (!isAsHeld(device, recheck, answer)) {
      release(device, answer);
      placements.push(table === 'neighbour' ? { device, ip: key, answer } : { device, answer });
    } else touch(device, recheck, answer, deps.now());
  }
  for (const [device, together] of groupBy(unowned, (recheck) => recheck.device))
    disownAll(
      device,
      together.map(({ key }) => key),
      deps.report,
    );
  for (const [device, together] of groupBy(placements, (placement) => placement.device))
    again.push(...change(device, together, deps));
  return { lost, again };
}

/** Withdraws entries whose records are gone. @returns rechecks that the withdrawal calls for */
export function withdrawLost(lost: readonly Recheck[], deps: PipelineDeps): Recheck[] {
  const again: Recheck[] = [];
  for (const [device, rechecks] of groupBy(lost, ({ device }) => device)) {
    deps.report.removed(
      device,
      rechecks.map(({ key }) => key),
      'withdrawn',
    );
    const ips = rechecks.filter(({ table }) => table === 'neighbour').map(({ key }) => key);
    const macs = rechecks.filter(({ table }) => table === 'fdb').map(({ key }) => key);
    again.push(...withdraw(device, ips, deps));
    // An FDB entry that a neighbour uses by now stays.
    withdrawFdb(
      device,
      macs.filter((mac) => device.tables.userCount(mac) === 0),
      deps.report,
    );
  }
  return again;
}

function withdraw(device: ServedDevice, ips: string[], deps: PipelineDeps): Recheck[] {
  if (ips.length === 0) return [];
  const macs = withdrawNeighbours(device, ips, deps.report);
  return [...macs].flatMap((mac) => recheckSource(device, mac));
}

/** Whether the held entries already agree with the answer. */
function isAsHeld({ tables }: ServedDevice, { table, key }: Recheck, answer: Answer): boolean {
  if (table === 'neighbour' && tables.neighbours.get(key)?.mac !== answer.mac) return false;
  const fdb = tables.fdb.get(answer.mac);
  return fdb?.vtep === answer.vtep && (fdb.router || !answer.router);
}

/** Entries checked by lifetime already count as checked, see refresh-queue.ts. */
function confirm({ device, key, cause }: Recheck, now: number): void {
  const { tables } = device;
  const held = tables.neighbours.get(key);
  if (held !== undefined && cause !== 'lifetime') tables.checkNeighbour(held, held.source, now);
}

function touch({ tables }: ServedDevice, { table, key }: Recheck, answer: Answer, now: number): void {
  const fdb = tables.fdb.get(answer.mac);
  if (fdb !== undefined) {
    const decides =
      answer.vtepSource !== undefined || fdb.source.kind === 'adopted' || fdb.source.kind === 'mac';
    tables.checkFdb(fdb, decides ? (answer.vtepSource ?? answer.source) : fdb.source, now);
  }
  if (table !== 'neighbour') return;
  const neighbour = tables.neighbours.get(key);
  if (neighbour !== undefined) tables.checkNeighbour(neighbour, answer.source, now);
}

/** An FDB entry whose `mac:` record is gone may follow any other record. */
function release({ tables }: ServedDevice, answer: Answer): void {
  const fdb = tables.fdb.get(answer.mac);
  if (fdb?.source.kind !== 'mac' || answer.vtepSource !== undefined || answer.source.kind === 'mac') return;
  tables.checkFdb(fdb, { kind: 'adopted', name: fdb.mac }, fdb.checkedAt);
}

/** Writes changed answers of one device: a move rewrites the FDB entry in place, a new MAC both entries. */
function change(device: ServedDevice, placements: Placement[], deps: PipelineDeps): Recheck[] {
  const again: Recheck[] = [];
  const { tables } = device;
  const before = placements.map(({ ip, answer }) => {
    const neighbour = ip === undefined ? undefined : tables.neighbours.get(ip);
    return { mac: neighbour?.mac, usedAt: neighbour?.usedAt, forwarded: tables.fdb.get(answer.mac)?.usedAt };
  });
  const outcomes = install(placements, deps);
  placements.forEach(({ ip, answer }, index) => {
    const old = before[index]?.mac;
    // A rewrite is no use: the time of the last use stays.
    const neighbour = ip === undefined ? undefined : tables.neighbours.get(ip);
    if (neighbour !== undefined) neighbour.usedAt = before[index]?.usedAt ?? neighbour.usedAt;
    const fdb = tables.fdb.get(answer.mac);
    if (fdb !== undefined) fdb.usedAt = before[index]?.forwarded ?? fdb.usedAt;
    if (outcomes[index] === 'resolved') deps.report.rewritten(device, ip ?? answer.mac, answer);
    if (outcomes[index] === 'local') {
      if (ip !== undefined) again.push(...withdraw(device, [ip], deps));
      else withdrawFdb(device, [answer.mac], deps.report);
    } else if (
      outcomes[index] === 'resolved' &&
      ip !== undefined &&
      old !== undefined &&
      old !== answer.mac
    ) {
      again.push(...recheckSource(device, old), { device, table: 'neighbour', key: ip, cause: 'change' });
    }
  });
  return again;
}

/** The endpoint is on this host now: removes its entries, and the bridge's rows that point into the tunnel. */
function becameLocal(
  device: ServedDevice,
  { table, key }: Recheck,
  answer: Answer,
  deps: PipelineDeps,
): Recheck[] {
  const macs = new Set([answer.mac]);
  const again: Recheck[] = [];
  deps.report.removed(device, [key], 'moved_here');
  if (table === 'fdb') withdrawFdb(device, [key], deps.report);
  else {
    const held = device.tables.neighbours.get(key)?.mac;
    if (held !== undefined) macs.add(held);
    again.push(...withdraw(device, [key], deps));
    device.tables.known.note(key, answer.mac);
    deps.macChanges.cancel(device, key);
    // A `mac:` record applies to all addresses of the MAC.
    for (const ip of answer.vtepSource === undefined ? [] : device.tables.users(answer.mac))
      again.push({ device, table: 'neighbour', key: ip, cause: 'change' });
  }
  forgetBehindTunnel(device, [...macs], deps.report);
  return again;
}

/** An FDB entry that followed the record of a withdrawn address: rechecks another neighbour of the MAC, or the entry itself. */
function recheckSource(device: ServedDevice, mac: string): Recheck[] {
  const { tables } = device;
  const fdb = tables.fdb.get(mac);
  const [user] = tables.users(mac);
  if (fdb === undefined) return [];
  if (user === undefined) return [{ device, table: 'fdb', key: mac, cause: 'change' }];
  if (fdb.source.kind !== 'ip' || tables.neighbours.get(fdb.source.name)?.mac === mac) return [];
  tables.checkFdb(fdb, { kind: 'adopted', name: mac }, fdb.checkedAt);
  return [{ device, table: 'neighbour', key: user, cause: 'change' }];
}

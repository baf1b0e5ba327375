/**
 * Writes answers into the kernel's tables. In this order, because each step protects from the last one's absence:
 *
 * 1. refuse what lives on this host: its own VTEP, its own addresses, MACs its bridge hears on another port
 * 2. the FDB entry: without it the first packet to a fresh neighbour is dropped
 * 3. the neighbour, and only where the FDB entry stands: alone it would be a blackhole
 *
 * Entries are created with EXCL. Where a row stands already it is looked at before it is touched: an operator's
 * permanent entry wins, foreign ones stay, and only our own and the kernel's leftovers are replaced.
 */
import ipaddr from 'ipaddr.js';
import { type EntryWrite, type KernelError } from '../kernel/kernel.ts';
import type { Answer, Outcome, Placement } from '../resolve/question.ts';
import type { ServedDevice } from '../served/device.ts';
import type { Clock } from '../clock.ts';
import type { HeldFdbEntry, Source } from './held.ts';
import { refuseLocal } from './refuse-local.ts';
import type { InstallReport } from './report.ts';
import { settleFdb, settleNeighbour } from './settle.ts';
import { fdbWrite, neighbourWrite } from './writes.ts';

export type InstallOutcome = Extract<Outcome, 'resolved' | 'local' | 'failed'>;

export interface InstallDeps {
  isOwnVtep: (vtep: string) => boolean;
  report: InstallReport;
  now: Clock;
}

/** @returns one outcome per placement. All placements must be of one namespace. */
export function install(
  placements: readonly Placement[],
  { isOwnVtep, report, now }: InstallDeps,
): InstallOutcome[] {
  const outcomes = placements.map<InstallOutcome>(() => 'resolved');
  if (placements.length === 0) return outcomes;
  const standing = (index: number): boolean => outcomes[index] === 'resolved';
  const refuse = (index: number, outcome: InstallOutcome): void => {
    outcomes[index] = outcome;
  };

  refuseLocal(placements, isOwnVtep, report, (index) => {
    refuse(index, 'local');
  });
  writeFdb(placements, standing, report, refuse, now());
  writeNeighbours(placements, standing, report, refuse, now());
  return outcomes;
}

export type Refuse = (index: number, outcome: InstallOutcome) => void;
type Standing = (index: number) => boolean;

/** One FDB entry to write, and every placement that waits for it: many addresses may share a MAC (leases, routers). */
interface Claim {
  device: ServedDevice;
  answer: Answer;
  indexes: number[];
}

function writeFdb(
  placements: readonly Placement[],
  standing: Standing,
  report: InstallReport,
  refuse: Refuse,
  now: number,
): void {
  const claims = new Map<string, Claim>();
  placements.forEach(({ device, ip, answer }, index) => {
    if (!standing(index)) return;
    const held = device.tables.fdb.get(answer.mac);
    // An L2 miss says that the kernel has no such entry, whatever we hold; an L3 miss says nothing about the FDB.
    if (held !== undefined && ip !== undefined) {
      const decides = overrides(answer, held, device);
      if (held.vtep === answer.vtep && (held.router || !answer.router)) {
        device.tables.checkFdb(held, decides ? decider(answer) : held.source, now);
        return;
      }
      if (!decides && held.vtep !== answer.vtep) {
        report.conflict(device, 'vtep_disputed', disputed(answer, held.vtep));
        return;
      }
    }
    const key = `${device.ifindex} ${answer.mac}`;
    const claim = claims.get(key);
    if (claim === undefined) {
      claims.set(key, { device, answer, indexes: [index] });
      return;
    }
    claim.indexes.push(index);
    if (claim.answer.vtep !== answer.vtep) {
      const [winner, loser] = wins(answer, claim.answer, device)
        ? [answer, claim.answer]
        : [claim.answer, answer];
      report.conflict(device, 'vtep_disputed', disputed(loser, winner.vtep));
      claim.answer = winner;
    }
    // One address that is a router's makes the MAC one.
    if (answer.router) claim.answer = { ...claim.answer, router: true };
  });

  const ordered = [...claims.values()];
  const refused = write(
    placements,
    ordered.map(({ device, answer }) => fdbWrite(device, answer)),
  );
  ordered.forEach(({ device, answer, indexes }, position) => {
    const error = refused.get(position);
    const failure = error === undefined ? undefined : settleFdb(device, answer, error, report);
    // What stands over an entry of ours may go again, and the audit then restores what the record says by now.
    if (failure === 'foreign' && !device.tables.fdb.has(answer.mac)) return;
    if (failure === undefined || failure === 'foreign') {
      const { mac, vtep, router } = answer;
      const { port } = at(placements, indexes[0] ?? 0);
      const facts = { mac, vtep, router, source: decider(answer), checkedAt: now, usedAt: now };
      device.tables.setFdb(facts, port);
      return;
    }
    report.failed(device, 'fdb', failure);
    for (const index of indexes) refuse(index, 'failed');
  });
}

const decider = (answer: Answer): Source => answer.vtepSource ?? answer.source;

const disputed = (answer: Answer, vtep: string): string =>
  `${answer.mac} is behind ${vtep} and, by the ${decider(answer).kind}: record of ${decider(answer).name}, behind ${answer.vtep}`;

/**
 * Whether an answer may change the VTEP in force. A `mac:` record wins over everything; any other record only over
 * itself. At start, when what is in force came from the kernel, the lowest wins, so that every host chooses the same.
 */
function overrides(answer: Answer, held: HeldFdbEntry, device: ServedDevice): boolean {
  const { vtep } = answer;
  const source = decider(answer);
  if (source.kind === 'mac' || held.source.kind === 'adopted') return true;
  if (held.source.kind === source.kind && held.source.name === source.name) return true;
  return (
    !device.verified && held.source.kind === 'ip' && source.kind === 'ip' && compareIps(vtep, held.vtep) < 0
  );
}

/** The same between two answers of one batch, of which neither is in force yet. */
function wins(answer: Answer, other: Answer, device: ServedDevice): boolean {
  const [kind, before] = [decider(answer).kind, decider(other).kind];
  if (kind === 'mac' || before === 'mac') return before !== 'mac';
  return !device.verified && kind === 'ip' && before === 'ip' && compareIps(answer.vtep, other.vtep) < 0;
}

/** By number, not by text: 10.0.0.9 is lower than 10.0.0.10. */
function compareIps(one: string, other: string): number {
  const [a, b] = [ipaddr.parse(one).toByteArray(), ipaddr.parse(other).toByteArray()];
  const differing = a.findIndex((byte, index) => byte !== b[index]);
  return differing < 0 ? 0 : (a[differing] ?? 0) - (b[differing] ?? 0);
}

function writeNeighbours(
  placements: readonly Placement[],
  standing: Standing,
  report: InstallReport,
  refuse: Refuse,
  now: number,
): void {
  const writes: EntryWrite[] = [];
  const owners: number[] = [];
  placements.forEach(({ device, ip, answer }, index) => {
    if (ip === undefined || !standing(index)) return;
    owners.push(index);
    writes.push(neighbourWrite(device, ip, answer.mac));
  });

  const refused = write(placements, writes);
  owners.forEach((owner, position) => {
    const { device, ip, answer, port } = at(placements, owner);
    if (ip === undefined) return;
    const error = refused.get(position);
    const failure = error === undefined ? undefined : settleNeighbour(device, ip, answer, error, report);
    if (failure === undefined || (failure === 'foreign' && device.tables.neighbours.has(ip))) {
      const facts = { ip, mac: answer.mac, source: answer.source, checkedAt: now, usedAt: now };
      device.tables.setNeighbour(facts, port);
    }
    if (failure === undefined) {
      device.tables.probation.delete(ip);
      return;
    }
    refuse(owner, 'failed');
    if (failure !== 'foreign') report.failed(device, 'neighbour', failure);
  });
}

/** One send for all; the refusals by position. */
function write(placements: readonly Placement[], writes: EntryWrite[]): Map<number, KernelError> {
  if (writes.length === 0) return new Map();
  const { kernel } = at(placements, 0).device.namespace;
  return new Map(kernel.write(writes).map(({ index, error }) => [index, error]));
}

function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new RangeError(`no item ${index} of ${items.length}`);
  return item;
}

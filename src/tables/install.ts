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
import { type EntryWrite, type KernelError, isTaken } from '../kernel/kernel.ts';
import type { Answer, Outcome, Placement } from '../resolve/question.ts';
import type { ServedDevice } from '../served/device.ts';
import { refuseLocal } from './refuse-local.ts';
import {
  OUR_FDB,
  OUR_NEIGHBOUR,
  OUR_ROUTER_FDB,
  isKernelLeftover,
  isLearned,
  isOurFdbEntry,
  isOurNeighbour,
} from './ownership.ts';
import type { InstallReport } from './report.ts';

export type InstallOutcome = Extract<Outcome, 'resolved' | 'local' | 'failed'>;

/** @returns one outcome per placement. All placements must be of one namespace. */
export function install(
  placements: readonly Placement[],
  isOwnVtep: (vtep: string) => boolean,
  report: InstallReport,
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
  writeFdb(placements, standing, report, refuse);
  writeNeighbours(placements, standing, report, refuse);
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
): void {
  const claims = new Map<string, Claim>();
  placements.forEach(({ device, ip, answer }, index) => {
    if (!standing(index)) return;
    const held = device.tables.fdb.get(answer.mac);
    // An L2 miss says that the kernel has no such entry, whatever we hold; an L3 miss says nothing about the FDB.
    if (held !== undefined && ip !== undefined) {
      if (held.vtep === answer.vtep && (held.router || !answer.router)) return;
      if (!overrides(answer, held.source)) {
        report.conflict(device, 'vtep_disputed', disputed(answer, held.vtep));
        return;
      }
    }
    const key = `${device.ifindex} ${answer.mac}`;
    const claim = claims.get(key);
    if (claim === undefined) claims.set(key, { device, answer, indexes: [index] });
    else {
      claim.indexes.push(index);
      if (claim.answer.vtep !== answer.vtep)
        report.conflict(device, 'vtep_disputed', disputed(answer, claim.answer.vtep));
    }
  });

  const ordered = [...claims.values()];
  const refused = write(
    placements,
    ordered.map(({ device, answer }) => fdbWrite(device, answer)),
  );
  ordered.forEach(({ device, answer, indexes }, position) => {
    const error = refused.get(position);
    const failure = error === undefined ? undefined : settleFdb(device, answer, error, report);
    if (failure === 'foreign') return;
    if (failure === undefined) {
      const { mac, vtep, router, source } = answer;
      device.tables.fdb.set(mac, { mac, vtep, router, source });
      return;
    }
    report.failed(device, 'fdb', failure);
    for (const index of indexes) refuse(index, 'failed');
  });
}

const disputed = (answer: Answer, vtep: string): string =>
  `${answer.mac} is behind ${vtep} and, by the ${answer.source.kind} record of ${answer.source.name}, behind ${answer.vtep}`;

/** `mac:` records win over everything; any other record only over itself: the VTEP in force stays until its record changes. */
function overrides(answer: Answer, held: Answer['source']): boolean {
  return (
    answer.source.kind === 'mac' || (held.kind === answer.source.kind && held.name === answer.source.name)
  );
}

function writeNeighbours(
  placements: readonly Placement[],
  standing: Standing,
  report: InstallReport,
  refuse: Refuse,
): void {
  const writes: EntryWrite[] = [];
  const owners: number[] = [];
  placements.forEach(({ device, ip, answer }, index) => {
    if (ip === undefined || !standing(index)) return;
    owners.push(index);
    writes.push(neighbourWrite(device, ip, answer));
  });

  const refused = write(placements, writes);
  owners.forEach((owner, position) => {
    const { device, ip, answer } = at(placements, owner);
    if (ip === undefined) return;
    const error = refused.get(position);
    const failure = error === undefined ? undefined : settleNeighbour(device, ip, answer, error, report);
    if (failure === undefined) device.tables.setNeighbour({ ip, mac: answer.mac, source: answer.source });
    else refuse(owner, 'failed');
    if (failure !== undefined && failure !== 'foreign') report.failed(device, 'neighbour', failure);
  });
}

/** One send for all; the refusals by position. */
function write(placements: readonly Placement[], writes: EntryWrite[]): Map<number, KernelError> {
  if (writes.length === 0) return new Map();
  const { kernel } = at(placements, 0).device.namespace;
  return new Map(kernel.write(writes).map(({ index, error }) => [index, error]));
}

export const fdbWrite = (device: ServedDevice, answer: Answer): EntryWrite & { table: 'fdb' } => ({
  table: 'fdb',
  op: 'create',
  ifindex: device.ifindex,
  lladdr: answer.mac,
  vtep: answer.vtep,
  ...(answer.router ? OUR_ROUTER_FDB : OUR_FDB),
});

export const neighbourWrite = (
  device: ServedDevice,
  ip: string,
  answer: Answer,
): EntryWrite & { table: 'neighbour' } => ({
  table: 'neighbour',
  op: 'create',
  ifindex: device.ifindex,
  ip,
  lladdr: answer.mac,
  ...OUR_NEIGHBOUR,
});

/** A refused FDB entry: undefined when it stands as it should after all, `foreign` when somebody else's stands in its place. */
function settleFdb(
  device: ServedDevice,
  answer: Answer,
  error: KernelError,
  report: InstallReport,
): KernelError | 'foreign' | undefined {
  if (!isTaken(error)) return error;
  const { kernel } = device.namespace;
  const [row] = kernel.getFdb([{ ifindex: device.ifindex, lladdr: answer.mac }]);
  const wanted = fdbWrite(device, answer);
  // Gone between the two looks: the next miss asks again.
  if (row === undefined) return error;
  if (isOurFdbEntry(row)) {
    if (row.flags === wanted.flags) {
      if (row.vtep === answer.vtep) return undefined;
      return kernel.write([{ ...wanted, op: 'replace' }])[0]?.error;
    }
  } else if (!isLearned(row, device.link.vxlan.learning)) {
    if (row.vtep !== answer.vtep)
      report.conflict(
        device,
        'foreign_fdb',
        `${answer.mac} is behind ${answer.vtep} by the directory, ${row.vtep ?? 'nowhere'} by hand`,
      );
    return 'foreign';
  }
  // Flags cannot be changed in place (vxlan_fdb_update_existing): delete and create.
  return kernel.write([{ ...wanted, op: 'delete' }, wanted]).find(({ index }) => index === 1)?.error;
}

/** The same for a neighbour. */
function settleNeighbour(
  device: ServedDevice,
  ip: string,
  answer: Answer,
  error: KernelError,
  report: InstallReport,
): KernelError | 'foreign' | undefined {
  if (!isTaken(error)) return error;
  const { kernel } = device.namespace;
  const [row] = kernel.getNeighbours([{ ifindex: device.ifindex, ip }]);
  if (row === undefined) return error;
  if (isOurNeighbour(row) && row.lladdr === answer.mac) return undefined;
  if (!isOurNeighbour(row) && !isKernelLeftover(row)) {
    report.conflict(
      device,
      'foreign_neighbour',
      `${ip} is ${answer.mac} by the directory, ${row.lladdr ?? 'nothing'} by hand`,
    );
    return 'foreign';
  }
  return kernel.write([{ ...neighbourWrite(device, ip, answer), op: 'replace' }])[0]?.error;
}

function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new RangeError(`no item ${index} of ${items.length}`);
  return item;
}

/** Rows that exist already (EEXIST): missd replaces only its own and the kernel's leftovers; all others stay. */
import { type EntryWrite, type KernelError, isGone, isTaken } from '../kernel/kernel.ts';
import type { Answer } from '../model/question.ts';
import type { ServedDevice } from '../model/device.ts';
import type { FdbEntry, Neighbour } from '../base/vocabulary.ts';
import { disown, mayReplace } from './disown.ts';
import { isKernelLeftover, isLearned, isStaleProbe, isOurFdbEntry, isOurNeighbour } from './ownership.ts';
import type { InstallReport } from './report.ts';
import { fdbRemoval, fdbWrite, neighbourRemoval, neighbourWrite } from './writes.ts';

/** Why an entry was not written: an error of the kernel, or a foreign row in its place. */
export type Failure = KernelError | 'foreign';

/** A neighbour to be written. One batch is of one namespace. */
export interface Wanted {
  /** Index of its placement. */
  index: number;
  device: ServedDevice;
  ip: string;
  answer: Answer;
  /** ifindex of the asking port, see model/port-quotas.ts. */
  port: number | undefined;
  /** undefined where the row is already right, or foreign. */
  write: EntryWrite | undefined;
  failure: Failure | undefined;
}

/** Looks at the row behind a refused FDB entry. @returns undefined when the row is right or was replaced */
export function resolveFdbConflict(
  device: ServedDevice,
  answer: Answer,
  error: KernelError,
  report: InstallReport,
): Failure | undefined {
  if (!isTaken(error)) return error;
  const { kernel } = device.namespace;
  const [row] = kernel.getFdb([{ ifindex: device.ifindex, lladdr: answer.mac }]);
  const wanted = fdbWrite(device, answer);
  // The row vanished between the write and the look: the next miss asks again.
  if (row === undefined) return error;
  const isRight = row.flags === wanted.flags && row.vtep === answer.vtep && row.via === wanted.via;
  if (isOurFdbEntry(row)) {
    // A twin of another owner, who would delete it.
    if (isRight) return device.shared ? kernel.write([{ ...wanted, op: 'replace' }])[0]?.error : undefined;
    if (!mayReplace(device, row)) {
      disown(device, row, report);
      return leaveForeign(device, answer, row, report);
    }
    if (device.tables.unproven.get(answer.mac) === 'upgrade')
      report.mended(device, 'repaired_fdb', `${answer.mac}, behind ${row.vtep ?? 'nowhere'} before`);
    if (row.flags === wanted.flags) return kernel.write([{ ...wanted, op: 'replace' }])[0]?.error;
  } else if (!isLearned(row, device.link.vxlan.learning)) {
    return leaveForeign(device, answer, row, report);
  }
  // Flags cannot be changed in place (vxlan_fdb_update_existing): delete and create.
  return kernel.write([fdbRemoval(device.ifindex, answer.mac), wanted]).find(({ index }) => index === 1)
    ?.error;
}

/** A foreign row stays, and is reported where its VTEP differs. */
function leaveForeign(
  device: ServedDevice,
  { mac, vtep }: Answer,
  row: FdbEntry,
  report: InstallReport,
): 'foreign' {
  if (row.vtep !== vtep)
    report.conflict(
      device,
      'foreign_fdb',
      `${mac} is behind ${vtep} by the directory, ${row.vtep ?? 'nowhere'} by hand`,
    );
  return 'foreign';
}

/** Does the same for refused neighbours, with one read and one send for all of them. */
export function resolveNeighbourConflicts(wanted: readonly Wanted[], report: InstallReport): void {
  const taken = wanted.filter(
    ({ failure }) => failure !== undefined && failure !== 'foreign' && isTaken(failure),
  );
  decideWrites(taken, report);
  const sent = taken.filter(({ write }) => write !== undefined);
  for (const { index, error } of send(
    sent.flatMap(({ write }) => write ?? []),
    sent,
  )) {
    const one = sent[index];
    if (one !== undefined) one.failure = error;
  }
}

/** Reads the existing rows and decides the write of each neighbour. */
export function decideWrites(wanted: readonly Wanted[], report: InstallReport): void {
  const [first] = wanted;
  if (first === undefined) return;
  const keys = wanted.map(({ device, ip }) => ({ ifindex: device.ifindex, ip }));
  const rows = first.device.namespace.kernel.getNeighbours(keys);
  wanted.forEach((one, position) => {
    one.failure = undefined;
    one.write = writeOver(one, rows[position], report);
  });
}

function writeOver(one: Wanted, row: Neighbour | undefined, report: InstallReport): EntryWrite | undefined {
  const { device, ip, answer } = one;
  const create = neighbourWrite(device, ip, answer.mac);
  if (row === undefined) return create;
  if (isOurNeighbour(row) && row.lladdr === answer.mac) return undefined;
  if (isOurNeighbour(row) || isKernelLeftover(row) || isStaleProbe(row)) return { ...create, op: 'replace' };
  one.failure = 'foreign';
  report.conflict(
    device,
    'foreign_neighbour',
    `${ip} is ${answer.mac} by the directory, ${row.lladdr ?? 'nothing'} by hand`,
  );
  return undefined;
}

/** Removes the neighbours whose FDB entry the kernel refused: alone they would be blackholes. */
export function removeUnreachable(wanted: readonly Wanted[], report: InstallReport): void {
  const written = wanted.filter(({ write, failure }) => write !== undefined && failure === undefined);
  const removals = written.map(({ device, ip }) => neighbourRemoval(device.ifindex, ip));
  for (const { index, error } of send(removals, written)) {
    const one = written[index];
    if (one !== undefined && !isGone(error)) report.failed(one.device, 'neighbour', error);
  }
}

function send(writes: EntryWrite[], wanted: readonly Wanted[]): { index: number; error: KernelError }[] {
  const [first] = wanted;
  return first === undefined ? [] : first.device.namespace.kernel.write(writes);
}

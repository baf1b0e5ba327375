/** What to do where a row stands already: look whose it is, and replace only ours and the kernel's leftovers. */
import { type EntryWrite, type KernelError, isGone, isTaken } from '../kernel/kernel.ts';
import type { Answer } from '../model/question.ts';
import type { ServedDevice } from '../model/device.ts';
import type { FdbEntry, Neighbour } from '../base/vocabulary.ts';
import { disown, mayReplace } from './disown.ts';
import { isKernelLeftover, isLearned, isOnProbation, isOurFdbEntry, isOurNeighbour } from './ownership.ts';
import type { InstallReport } from './report.ts';
import { fdbRemoval, fdbWrite, neighbourRemoval, neighbourWrite } from './writes.ts';

/** What keeps an entry from being written: the kernel, or somebody else's that stands in its place. */
export type Failure = KernelError | 'foreign';

/** A neighbour on its way into the table. All that are settled together are of one namespace. */
export interface Wanted {
  /** Of its placement. */
  index: number;
  device: ServedDevice;
  ip: string;
  answer: Answer;
  /** The asking port, see port-quotas.ts. */
  port: number | undefined;
  /** None where it stands already as it should, or where somebody else's does. */
  write: EntryWrite | undefined;
  failure: Failure | undefined;
}

/** A refused FDB entry: undefined when it stands as it should after all. */
export function settleFdb(
  device: ServedDevice,
  answer: Answer,
  error: KernelError,
  report: InstallReport,
): Failure | undefined {
  if (!isTaken(error)) return error;
  const { kernel } = device.namespace;
  const [row] = kernel.getFdb([{ ifindex: device.ifindex, lladdr: answer.mac }]);
  const wanted = fdbWrite(device, answer);
  // Gone between the two looks: the next miss asks again.
  if (row === undefined) return error;
  const asItShould = row.flags === wanted.flags && row.vtep === answer.vtep && row.via === wanted.via;
  if (isOurFdbEntry(row)) {
    if (asItShould) return undefined;
    if (!mayReplace(device, row)) {
      disown(device, row, report);
      return left(device, answer, row, report);
    }
    if (device.tables.unproven.get(answer.mac) === 'upgrade')
      report.mended(device, 'repaired_fdb', `${answer.mac}, behind ${row.vtep ?? 'nowhere'} before`);
    if (row.flags === wanted.flags) return kernel.write([{ ...wanted, op: 'replace' }])[0]?.error;
  } else if (!isLearned(row, device.link.vxlan.learning)) {
    return left(device, answer, row, report);
  }
  // Flags cannot be changed in place (vxlan_fdb_update_existing): delete and create.
  return kernel.write([fdbRemoval(device.ifindex, answer.mac), wanted]).find(({ index }) => index === 1)
    ?.error;
}

/** Somebody else's row stays, and is reported where it says something else. */
function left(device: ServedDevice, { mac, vtep }: Answer, row: FdbEntry, report: InstallReport): 'foreign' {
  if (row.vtep !== vtep)
    report.conflict(
      device,
      'foreign_fdb',
      `${mac} is behind ${vtep} by the directory, ${row.vtep ?? 'nowhere'} by hand`,
    );
  return 'foreign';
}

/** Neighbours whose rows turned out to stand: the same, in one look and one send for all. */
export function settleNeighbours(wanted: readonly Wanted[], report: InstallReport): void {
  const taken = wanted.filter(
    ({ failure }) => failure !== undefined && failure !== 'foreign' && isTaken(failure),
  );
  look(taken, report);
  const sent = taken.filter(({ write }) => write !== undefined);
  for (const { index, error } of send(
    sent.flatMap(({ write }) => write ?? []),
    sent,
  )) {
    const one = sent[index];
    if (one !== undefined) one.failure = error;
  }
}

/** Looks at the rows that stand, and makes of each what is to be written. */
export function look(wanted: readonly Wanted[], report: InstallReport): void {
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
  if (isOurNeighbour(row) || isKernelLeftover(row) || isOnProbation(row)) return { ...create, op: 'replace' };
  one.failure = 'foreign';
  report.conflict(
    device,
    'foreign_neighbour',
    `${ip} is ${answer.mac} by the directory, ${row.lladdr ?? 'nothing'} by hand`,
  );
  return undefined;
}

/** Takes out again what was written behind an FDB entry that the kernel refused. */
export function takeBack(wanted: readonly Wanted[], report: InstallReport): void {
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

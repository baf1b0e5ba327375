/** What to do where a row stands already: look whose it is, and replace only ours and the kernel's leftovers. */
import { type KernelError, isTaken } from '../kernel/kernel.ts';
import type { Answer } from '../resolve/question.ts';
import type { ServedDevice } from '../served/device.ts';
import { isKernelLeftover, isLearned, isOnProbation, isOurFdbEntry, isOurNeighbour } from './ownership.ts';
import type { InstallReport } from './report.ts';
import { fdbRemoval, fdbWrite, neighbourWrite } from './writes.ts';

/** A refused FDB entry: undefined when it stands as it should after all, `foreign` when somebody else's stands in its place. */
export function settleFdb(
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
  return kernel.write([fdbRemoval(device.ifindex, answer.mac), wanted]).find(({ index }) => index === 1)
    ?.error;
}

/** The same for a neighbour. */
export function settleNeighbour(
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
  if (!isOurNeighbour(row) && !isKernelLeftover(row) && !isOnProbation(row)) {
    report.conflict(
      device,
      'foreign_neighbour',
      `${ip} is ${answer.mac} by the directory, ${row.lladdr ?? 'nothing'} by hand`,
    );
    return 'foreign';
  }
  return kernel.write([{ ...neighbourWrite(device, ip, answer.mac), op: 'replace' }])[0]?.error;
}

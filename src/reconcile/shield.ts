/** Writes held FDB entries of a device with a second owner with port 0, where an equal row stands: entries/shared-rows.ts. */
import { setImmediate as turn } from 'node:timers/promises';
import type { PipelineDeps } from '../resolver/pipeline.ts';
import { chunks } from '../base/chunks.ts';
import type { EntryWrite } from '../kernel/kernel.ts';
import type { ServedDevice } from '../model/device.ts';
import { fdbWrite } from '../entries/writes.ts';
import type { Mac } from '../base/vocabulary.ts';
import { isFdbAsHeld } from './matches.ts';

/** Reads each row again first, because the kernel would replace a foreign row as well. @throws KernelError */
export function shieldFdb(device: ServedDevice, macs: readonly Mac[], { report }: PipelineDeps): void {
  const { tables, namespace, ifindex } = device;
  const writes: EntryWrite[] = [];
  for (const row of namespace.kernel.getFdb(macs.map((lladdr) => ({ ifindex, lladdr })))) {
    const held = tables.fdb.get(row?.lladdr ?? '');
    // An unproven row may be another's alone, whose delete has to find it.
    if (held === undefined || tables.unproven.has(held.mac) || !isFdbAsHeld(device, held, row)) continue;
    writes.push({ ...fdbWrite(device, held), op: 'replace' });
  }
  if (writes.length === 0) return;
  for (const { error } of namespace.kernel.write(writes)) report.failed(device, 'fdb', error);
}

/** Does the same for all entries of the device. @throws KernelError */
export async function shieldAllFdb(device: ServedDevice, deps: PipelineDeps): Promise<void> {
  for (const macs of chunks([...device.tables.fdb.keys()])) {
    shieldFdb(device, macs, deps);
    await turn();
  }
}

/** Removes the entries of served devices from the kernel and from the desired tables, so that no audit writes them again. */
import type { Logger } from '../base/log.ts';
import { type Flushed, flush } from '../entries/flush.ts';
import type { ServedDevice } from '../model/device.ts';
import type { FlushRequest } from './control-server.ts';

/** @throws KernelError */
export async function flushDevices(
  served: readonly ServedDevice[],
  { namespace, devices, all }: FlushRequest,
): Promise<Flushed[]> {
  const flushed: Flushed[] = [];
  for (const device of served) {
    const isRequested = devices.length === 0 || devices.includes(device.link.name);
    if (device.namespace.kernel.inode === namespace && isRequested)
      flushed.push(await flushDevice(device, all));
  }
  return flushed;
}

/** Removes the entries of a device and undoes its settings. @throws KernelError */
export async function removeEverything(device: ServedDevice, log: Logger): Promise<void> {
  const { name, ifindex, namespace, settings } = device;
  const { neighbours, fdb, routes } = await flushDevice(device);
  log.info(`${name}: removed ${neighbours} neighbours, ${fdb} FDB entries, ${routes} routes`);
  // The notification of a setting may still be on its way, so the link is read again.
  const link = (await namespace.kernel.links()).find((one) => one.ifindex === ifindex);
  if (link === undefined) return;
  for (const undone of settings.undo(namespace.kernel, link)) log.info(`${name}: set ${undone} again`);
}

async function flushDevice(device: ServedDevice, all = false): Promise<Flushed> {
  const { tables, journal, foreign, namespace, link } = device;
  const ours = new Map([...tables.fdb.values()].map(({ mac, vtep }) => [mac, vtep]));
  for (const mac of tables.unproven.keys()) ours.delete(mac);
  tables.clear();
  const flushed = await flush(namespace.kernel, link, {
    wrote: (mac, vtep) => ours.get(mac) === vtep || journal.wrote(mac, vtep),
    disowned: (mac, vtep) => foreign.get(mac) === vtep,
    all,
  });
  journal.forget([...ours.keys(), ...device.replicas.keys()]);
  device.replicas = new Map();
  return flushed;
}

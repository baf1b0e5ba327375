import type { DirectoryChange } from '../directory/directory.ts';
import type { ServedDevice } from '../served/device.ts';

/** What a change in the directory means for what missd remembers: a new record ends the memory of its absence at once. */
export function applyChange(change: DirectoryChange, devices: readonly ServedDevice[]): void {
  for (const device of devices) {
    if (change.type === 'records') {
      for (const { vni, address } of change.keys) if (vni === device.vni) forget(device, address);
    } else if (change.type !== 'leases' || change.vni === device.vni) forgetAll(device);
  }
}

function forget(device: ServedDevice, address: string): void {
  device.absent.delete(address);
  device.local.delete(address);
  const question = device.inFlight.get(address);
  if (question !== undefined) question.changed = true;
}

function forgetAll(device: ServedDevice): void {
  device.absent.clear();
  device.local.clear();
  for (const question of device.inFlight.values()) question.changed = true;
}

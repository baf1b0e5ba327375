import type { Recheck } from './full-resync.ts';
import { questionsOf } from '../model/device-questions.ts';
import type { DirectoryChange, RecordKey } from '../directory/directory.ts';
import type { ServedDevice } from '../model/device.ts';

/** Removes changed addresses from the negative cache; questions in flight for them are looked up again. */
export function forgetAbsence(change: DirectoryChange, devices: readonly ServedDevice[]): void {
  for (const device of devices) {
    if (change.type === 'records') {
      for (const { vni, address } of change.keys) if (vni === device.vni) forget(device, address);
    } else if (change.type !== 'leases' || change.vni === device.vni) forgetAll(device);
  }
}

export function forget(device: ServedDevice, address: string): void {
  device.absent.delete(address);
  device.local.delete(address);
  const { inFlight, reading } = questionsOf(device);
  const question = inFlight.get(address);
  if (question !== undefined) question.changed = true;
  for (const reader of reading.get(address) ?? []) reader.changed = true;
  // An L2 miss may be in the negative cache because the record of an address with the MAC was absent.
  for (const mac of device.absent.size === 0 ? [] : device.tables.macsOf(address)) device.absent.delete(mac);
}

function forgetAll(device: ServedDevice): void {
  device.absent.clear();
  device.local.clear();
  for (const question of questionsOf(device).inFlight.values()) question.changed = true;
}

/** The held entries that a change of records or leases concerns. @param heardAt monotonic ms */
export function rechecksFor(
  change: DirectoryChange,
  devices: readonly ServedDevice[],
  heardAt: number,
): Recheck[] {
  return concerned(change, devices).map((recheck) => ({ ...recheck, heardAt }));
}

function concerned(change: DirectoryChange, devices: readonly ServedDevice[]): Recheck[] {
  if (change.type === 'records')
    return devices.flatMap((device) =>
      change.keys.flatMap((key) => (key.vni === device.vni ? ofRecord(device, key) : [])),
    );
  if (change.type !== 'leases') return [];
  return devices.filter(({ vni }) => vni === change.vni).flatMap((device) => ofLeases(device));
}

function ofRecord(device: ServedDevice, { kind, address }: RecordKey): Recheck[] {
  const { tables } = device;
  if (kind === 'ip') {
    const own = tables.neighbours.has(address) ? [neighbour(device, address)] : [];
    // An FDB entry may follow this record without a neighbour, or while the neighbour has another MAC by now.
    const mac = tables.fdbFrom(address);
    return mac === undefined || tables.neighbours.get(address)?.mac === mac
      ? own
      : [...own, ...ofMac(device, mac)];
  }
  return tables.fdb.has(address) ? ofMac(device, address) : [];
}

/** The recheck of one neighbour is enough: it reads the `mac:` record too, and all neighbours share the FDB entry. */
function ofMac(device: ServedDevice, mac: string): Recheck[] {
  const [user] = device.tables.users(mac);
  return [user === undefined ? { device, table: 'fdb', key: mac, cause: 'change' } : neighbour(device, user)];
}

/** Entries that follow a lease. */
function ofLeases(device: ServedDevice): Recheck[] {
  const { neighbours, lone } = device.tables;
  return [
    ...[...neighbours.values()]
      .filter(({ source }) => source.kind === 'lease')
      .map(({ ip }) => neighbour(device, ip)),
    ...[...lone.values()]
      .filter(({ source }) => source.kind === 'lease')
      .map<Recheck>(({ mac }) => ({ device, table: 'fdb', key: mac, cause: 'change' })),
  ];
}

const neighbour = (device: ServedDevice, ip: string): Recheck => ({
  device,
  table: 'neighbour',
  key: ip,
  cause: 'change',
});

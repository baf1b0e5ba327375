/** Another control plane that comes to a device of ours later, as FRR does with `advertise-all-vni`. */
import { beforeEach, expect, it } from 'vitest';
import { flush, journalEvidence } from '../../../src/entries/flush.ts';
import { withdrawNeighbours } from '../../../src/entries/remove.ts';
import { OUR_FDB } from '../../../src/entries/ownership.ts';
import type { RowChange } from '../../../src/kernel/kernel.ts';
import { NTF_EXT_LEARNED, NTF_SELF, NUD_PERMANENT, NUD_REACHABLE } from '../../../src/kernel/netlink.ts';
import type { ServedDevice } from '../../../src/model/device.ts';
import { BRIDGE, VXLAN, ip, mac, vtep } from '../fake/world.ts';
import { ReconcileWorld } from './reconciling.ts';

const ALL_ZEROS = '00:00:00:00:00:00';

let world: ReconcileWorld;
let device: ServedDevice;
beforeEach(() => {
  world = new ReconcileWorld();
  device = world.device();
  world.endpoint(device, ip(1), mac(1), vtep(2));
});

const tell = (...changes: RowChange[]): void => {
  world.reconciler.onRows({ changes, deviceOf: world.deviceOf, behindBridge: () => undefined });
};

/** It comes and puts its default row there. */
const come = (): void => {
  const row = { ifindex: VXLAN, lladdr: ALL_ZEROS, state: NUD_PERMANENT, flags: NTF_SELF };
  world.kernel.putFdb({ ...row, vtep: vtep(9) });
  const standing = world.kernel.fdbEntry(VXLAN, ALL_ZEROS);
  if (standing === undefined) throw new Error('no row');
  tell({ removed: false, row: standing });
  // It stops: twins may go after this one.
  world.kernel.removeFdb(VXLAN, ALL_ZEROS);
};

/** Our row goes, and the kernel tells of it. */
const lose = (): void => {
  const row = world.kernel.fdbEntry(VXLAN, mac(1));
  if (row === undefined) throw new Error('no row');
  world.kernel.removeFdb(VXLAN, mac(1));
  tell({ removed: true, row });
};

it('the audit leaves and reports the owner’s all-zeros entry until it is gone', async () => {
  world.kernel.putFdb({
    ifindex: VXLAN,
    lladdr: ALL_ZEROS,
    vtep: vtep(9),
    state: NUD_PERMANENT,
    flags: NTF_SELF,
  });
  await world.audit();
  await world.settled();
  expect(device.defaultRemote).toBe(vtep(9));
  expect(world.counters.conflicts.default_remote).toBe(1);
  expect(world.fdb(device)).toMatchObject({ [ALL_ZEROS]: vtep(9) });
  world.kernel.removeFdb(VXLAN, ALL_ZEROS);
  await world.audit();
  await world.settled();
  expect(device.defaultRemote).toBeUndefined();
});

it('a row of missd that the owner deletes is restored at the kernel’s notification, without an audit', () => {
  come();
  lose();
  expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(2) });
  expect(world.corrections()).toEqual({ restored_fdb: 1 });
});

it('repeated deletions are left to the audit', () => {
  come();
  for (let n = 0; n < 1_000; n++) lose();
  lose();
  expect(world.fdb(device)).toEqual({});
  expect(world.corrections()).toEqual({ restored_fdb: 1_000 });
});

it('rows deleted from a device without a second owner are left to the next miss or audit', async () => {
  lose();
  expect(world.fdb(device)).toEqual({});
  await world.audit();
  await world.settled();
  expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(2) });
});

/** Its delete of a row that it has written, by MAC and VTEP; tells whether the row is gone. The kernel reports success anyway. */
function itsDelete(n: number, behind = 2): boolean {
  const row = { ifindex: VXLAN, lladdr: mac(n), vtep: vtep(behind), ...OUR_FDB };
  expect(world.kernel.write([{ table: 'fdb', op: 'delete', ...row }])).toEqual([]);
  return world.kernel.fdbEntry(VXLAN, mac(n)) === undefined;
}

/** It replaces ours by a row of its own, and the kernel tells of it. */
const itsReplace = (n: number, behind = 2): void => {
  const row = { ifindex: VXLAN, lladdr: mac(n), vtep: vtep(behind), ...OUR_FDB };
  world.kernel.write([{ table: 'fdb', op: 'replace', ...row }]);
  tell({ removed: false, row: { ...row, master: 0, usedAgo: 0, updatedAgo: 0 } });
};

/** It has the bridge's half too. */
const sign = (n: number): void => {
  world.kernel.putBridgeFdb(BRIDGE, VXLAN, mac(n), 0, NUD_REACHABLE, NTF_EXT_LEARNED);
};

it('without a second owner a delete by VTEP finds missd’s row', () => {
  expect(itsDelete(1)).toBe(true);
});

it('the owner’s delete finds no row of missd after the owner is detected', async () => {
  come();
  await world.settled();
  expect(itsDelete(1)).toBe(false);
  world.endpoint(device, ip(2), mac(2), vtep(2));
  expect(itsDelete(2)).toBe(false);
  expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(2), [mac(2)]: vtep(2) });
  expect(world.corrections()).toEqual({});
});

it('the owner’s delete does not find a twin that it has put in place of missd’s row', async () => {
  come();
  await world.settled();
  itsReplace(1);
  expect(itsDelete(1)).toBe(false);
  expect(world.corrections()).toEqual({});
});

it('a row of the owner with another VTEP is not replaced', async () => {
  come();
  await world.settled();
  sign(1);
  itsReplace(1, 9);
  await world.audit();
  await world.settled();
  expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(9) });
  expect(itsDelete(1, 9)).toBe(true);
});

it('a twin that missd finds in place of a new answer is also kept from the owner’s delete', async () => {
  come();
  await world.settled();
  world.kernel.putFdb({ ifindex: VXLAN, lladdr: mac(2), vtep: vtep(2), ...OUR_FDB });
  world.endpoint(device, ip(2), mac(2), vtep(2));
  expect(itsDelete(2)).toBe(false);
});

it('a row with the owner’s mark that missd gives up is handed over, so that the owner’s delete finds it', async () => {
  come();
  await world.settled();
  sign(1);
  withdrawNeighbours(device, [ip(1)], world.deps.report);
  expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(2) });
  expect(itsDelete(1)).toBe(true);
});

it('flush hands rows over that it leaves to the owner', async () => {
  come();
  await world.settled();
  sign(1);
  await flush(world.kernel, device.link, journalEvidence(undefined));
  expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(2) });
  expect(itsDelete(1)).toBe(true);
});

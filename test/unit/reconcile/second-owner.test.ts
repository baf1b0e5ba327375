/** Another control plane that comes to a device of ours later, as FRR does with `advertise-all-vni`. */
import { beforeEach, expect, it } from 'vitest';
import { NTF_SELF, NUD_PERMANENT } from '../../../src/kernel/netlink.ts';
import type { ServedDevice } from '../../../src/model/device.ts';
import { VXLAN, ip, mac, vtep } from '../fake/world.ts';
import { ReconcileWorld } from './reconciling.ts';

const ALL_ZEROS = '00:00:00:00:00:00';

let world: ReconcileWorld;
let device: ServedDevice;
beforeEach(() => {
  world = new ReconcileWorld();
  device = world.device();
  world.endpoint(device, ip(1), mac(1), vtep(2));
});

/** It comes and puts its default row there. */
const come = (): void => {
  const row = { ifindex: VXLAN, lladdr: ALL_ZEROS, state: NUD_PERMANENT, flags: NTF_SELF };
  world.kernel.putFdb({ ...row, vtep: vtep(9) });
  const standing = world.kernel.fdbEntry(VXLAN, ALL_ZEROS);
  if (standing === undefined) throw new Error('no row');
  world.reconciler.onRows({
    changes: [{ removed: false, row: standing }],
    deviceOf: world.deviceOf,
    behindBridge: () => undefined,
  });
  // It stops: twins may go after this one.
  world.kernel.removeFdb(VXLAN, ALL_ZEROS);
};

/** Our row goes, and the kernel tells of it. */
const lose = (): void => {
  const row = world.kernel.fdbEntry(VXLAN, mac(1));
  if (row === undefined) throw new Error('no row');
  world.kernel.removeFdb(VXLAN, mac(1));
  world.reconciler.onRows({
    changes: [{ removed: true, row }],
    deviceOf: world.deviceOf,
    behindBridge: () => undefined,
  });
};

it('its all-zeros entry is left and reported by the audit until it is gone', async () => {
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

it('our row that it deletes is restored on the kernel’s notification, without an audit', () => {
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

import { beforeEach, describe, expect, it } from 'vitest';
import {
  NTF_ROUTER,
  NTF_SELF,
  NUD_FAILED,
  NUD_PERMANENT,
  NUD_REACHABLE,
  NUD_STALE,
} from '../../../src/kernel/netlink.ts';
import type { ServedDevice } from '../../../src/model/device.ts';
import { OUR_FDB_ROW, OUR_ROW, ROUTED, VNI, VXLAN, ip, mac, vtep, vxlanLink } from '../fake/world.ts';
import { IDLE, ReconcileWorld } from './reconciling.ts';

let world: ReconcileWorld;
let device: ServedDevice;

beforeEach(() => {
  world = new ReconcileWorld();
  device = world.device();
  world.endpoint(device, ip(1), mac(1), vtep(2));
  world.kernel.written.length = 0;
});

const asItWas = (): void => {
  expect(world.kernel.neighboursOf(VXLAN)).toEqual([
    { ifindex: VXLAN, ip: ip(1), lladdr: mac(1), ...OUR_ROW },
  ]);
  expect(world.kernel.fdbOf(VXLAN)).toMatchObject([{ lladdr: mac(1), vtep: vtep(2), ...OUR_FDB_ROW }]);
};

describe('the audit', () => {
  it('writes nothing if the tables match', async () => {
    await world.audit();
    expect(world.kernel.written).toEqual([]);
    expect(world.corrections()).toEqual({});
  });

  it('restores missing entries, and counts each once', async () => {
    world.kernel.removeNeighbour(VXLAN, ip(1));
    world.kernel.removeFdb(VXLAN, mac(1));
    await world.audit();
    asItWas();
    expect(world.corrections()).toEqual({ restored_fdb: 1, restored_neighbour: 1 });
    expect(world.kernel.written.map(({ table }) => table)).toEqual(['fdb', 'neighbour']);
  });

  it.each([
    ['VTEP', OUR_FDB_ROW.flags, vtep(9)],
    ['flags', NTF_SELF, vtep(2)],
    ['router flag', OUR_FDB_ROW.flags | NTF_ROUTER, vtep(2)],
  ])('repairs an FDB entry with another %s', async (_, flags, behind) => {
    world.kernel.putFdb({ ifindex: VXLAN, lladdr: mac(1), vtep: behind, state: NUD_REACHABLE, flags });
    await world.audit();
    asItWas();
    expect(world.corrections()).toEqual({ repaired_fdb: 1 });
  });

  it.each([
    ['MAC', { ...OUR_ROW, lladdr: mac(9) }],
    ['state', { ...OUR_ROW, lladdr: mac(1), state: NUD_STALE }],
    ['flags', { ...OUR_ROW, lladdr: mac(1), flags: 0 }],
    ['protocol', { ...OUR_ROW, lladdr: mac(1), protocol: 3 }],
  ])('repairs a neighbour with another %s', async (_, row) => {
    world.kernel.putNeighbour({ ifindex: VXLAN, ip: ip(1), ...row });
    await world.audit();
    asItWas();
    expect(world.corrections()).toEqual({ repaired_neighbour: 1 });
  });

  it('leaves a permanent entry in place of missd’s, and reports it each time', async () => {
    world.kernel.putFdb({
      ifindex: VXLAN,
      lladdr: mac(1),
      vtep: vtep(9),
      state: NUD_PERMANENT,
      flags: NTF_SELF,
    });
    world.kernel.putNeighbour({
      ifindex: VXLAN,
      ip: ip(1),
      lladdr: mac(9),
      ...OUR_ROW,
      flags: 0,
      state: NUD_PERMANENT,
    });
    await world.audit();
    await world.audit();
    expect(world.kernel.written).toEqual([]);
    expect(world.counters.conflicts.overridden).toBe(4);
    expect(world.corrections()).toEqual({});
  });

  it('writes its entry again when the permanent entry is gone', async () => {
    world.kernel.putFdb({
      ifindex: VXLAN,
      lladdr: mac(1),
      vtep: vtep(9),
      state: NUD_PERMANENT,
      flags: NTF_SELF,
    });
    await world.audit();
    world.kernel.removeFdb(VXLAN, mac(1));
    await world.audit();
    asItWas();
  });

  it('adopts rows with missd’s marks that it does not hold, and their records decide', async () => {
    for (const n of [2, 3]) {
      world.kernel.putFdb({ ifindex: VXLAN, lladdr: mac(n), vtep: vtep(3), ...OUR_FDB_ROW });
      world.kernel.putNeighbour({ ifindex: VXLAN, ip: ip(n), lladdr: mac(n), ...OUR_ROW });
    }
    world.kernel.putFdb({ ifindex: VXLAN, lladdr: '33:33:00:00:00:01', vtep: vtep(3), ...OUR_FDB_ROW });
    world.directory.set(VNI, 'ip', ip(2), `${mac(2)} ${vtep(3)}`);
    await world.audit();
    expect(world.neighbours(device)).toEqual({ [ip(1)]: mac(1), [ip(2)]: mac(2) });
    expect(Object.keys(world.fdb(device))).toEqual([mac(1), mac(2), '33:33:00:00:00:01']);
    expect(world.corrections()).toMatchObject({ adopted_fdb: 2, adopted_neighbour: 2 });
  });

  it('removes the kernel’s leftover rows from a bridged device, but no held or foreign entries', async () => {
    world.kernel.putNeighbour({ ifindex: VXLAN, ip: ip(2), state: NUD_FAILED, flags: 0, protocol: 0 });
    world.kernel.putNeighbour({ ifindex: VXLAN, ip: ip(3), state: NUD_STALE, flags: 0, protocol: 3 });
    world.kernel.putNeighbour({ ifindex: VXLAN, ip: ip(4), state: NUD_PERMANENT, flags: 0, protocol: 0 });
    await world.audit();
    expect(Object.keys(world.neighbours(device))).toEqual([ip(1), ip(3), ip(4)]);
    expect(world.corrections()).toEqual({ removed_leftover: 1 });
  });

  it('leaves the kernel’s rows on a routed device, which needs them', async () => {
    const routed = world.device(vxlanLink(ROUTED, false));
    world.kernel.putNeighbour({ ifindex: ROUTED, ip: ip(2), state: NUD_STALE, flags: 0, protocol: 0 });
    await world.audit();
    expect(Object.keys(world.neighbours(routed))).toEqual([ip(2)]);
  });

  it('removes entries that have become local', async () => {
    world.endpoint(device, ip(2), mac(2), vtep(3));
    world.endpoint(device, ip(3), mac(3), vtep(4));
    world.own.set('device', [vtep(2)]);
    world.assigned.add(ip(2));
    await world.audit();
    expect(world.neighbours(device)).toEqual({ [ip(3)]: mac(3) });
    expect(world.fdb(device)).toEqual({ [mac(3)]: vtep(4) });
  });

  it('accepts entries written during the read', async () => {
    world.kernel.onDump = (when) => {
      if (when === 'after') world.endpoint(device, ip(2), mac(2), vtep(2));
    };
    await world.audit();
    expect(world.corrections()).toEqual({});
    expect(world.counters.conflicts.overridden).toBe(0);
  });

  it('does not restore entries withdrawn during the read', async () => {
    world.kernel.removeFdb(VXLAN, mac(1));
    world.kernel.onDump = (when) => {
      if (when !== 'after') return;
      device.tables.deleteFdb(mac(1));
      device.tables.deleteNeighbour(ip(1));
    };
    world.directory.delete(VNI, 'ip', ip(1));
    await world.audit();
    expect(world.fdb(device)).toEqual({});
  });

  it('skips a device that is down or not adopted yet', async () => {
    world.kernel.empty(VXLAN);
    device.link = { ...device.link, up: false };
    await world.audit();
    device.link = { ...device.link, up: true };
    device.adopted = false;
    await world.audit();
    expect(world.kernel.written).toEqual([]);
    device.adopted = true;
    await world.audit();
    asItWas();
  });

  it('restores all entries of an emptied device, at any age', async () => {
    world.time += (IDLE + 1) * 1_000;
    world.kernel.use(VXLAN, mac(1));
    world.kernel.empty(VXLAN);
    await world.audit();
    asItWas();
    await world.audit();
    asItWas();
  });

  it('that cannot read the tables ends, and can be repeated', async () => {
    world.kernel.dumpFailure = 'EINTR';
    await world.audit();
    world.kernel.dumpFailure = undefined;
    world.kernel.removeFdb(VXLAN, mac(1));
    await world.audit();
    asItWas();
  });
});

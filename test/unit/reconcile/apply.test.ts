import { PortLane } from '../../../src/model/question.ts';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ServedDevice } from '../../../src/model/device.ts';
import { GUEST, HERE, BRIDGE, LOOKUP_RATE, VNI, VXLAN, ip, mac, turns, vtep } from '../fake/world.ts';
import { ReconcileWorld, ipKey, macKey } from './reconciling.ts';

let world: ReconcileWorld;
let device: ServedDevice;

beforeEach(() => {
  world = new ReconcileWorld();
  device = world.device();
  world.endpoint(device, ip(1), mac(1), vtep(2));
  world.kernel.written.length = 0;
});

describe('a changed ip: record', () => {
  it('moves the FDB entry in place, without a moment without one', async () => {
    world.directory.set(VNI, 'ip', ip(1), `${mac(1)} ${vtep(3)}`);
    await world.changed(ipKey(1));
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(3) });
    expect(world.neighbours(device)).toEqual({ [ip(1)]: mac(1) });
    expect(world.kernel.written.map(({ op }) => op)).not.toContain('delete');
  });

  it('with another MAC changes both entries, announces to every guest and leaves no old FDB entry', async () => {
    world.directory.set(VNI, 'ip', ip(1), `${mac(9)} ${vtep(2)}`);
    await world.changed(ipKey(1));
    expect(world.neighbours(device)).toEqual({ [ip(1)]: mac(9) });
    expect(world.fdb(device)).toEqual({ [mac(9)]: vtep(2) });
    expect(world.kernel.announced).toEqual([{ port: GUEST, ip: ip(1), lladdr: mac(9), router: false }]);
    expect([...device.tables.fdb.keys()]).toEqual([mac(9)]);
  });

  it('with another MAC keeps the old FDB entry for other neighbours', async () => {
    world.endpoint(device, ip(2), mac(1), vtep(2));
    world.directory.set(VNI, 'ip', ip(1), `${mac(9)} ${vtep(2)}`);
    await world.changed(ipKey(1));
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(2), [mac(9)]: vtep(2) });
    expect(device.tables.fdb.get(mac(1))?.source).toEqual({ kind: 'ip', name: ip(2) });
  });

  it('with another MAC keeps an old FDB entry that has a mac: record', async () => {
    world.directory.set(VNI, 'mac', mac(1), vtep(2));
    world.directory.set(VNI, 'ip', ip(1), `${mac(9)} ${vtep(2)}`);
    await world.changed(ipKey(1));
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(2), [mac(9)]: vtep(2) });
  });

  it('that equals the held entries writes nothing', async () => {
    await world.changed(ipKey(1));
    expect(world.kernel.written).toEqual([]);
  });

  it('that is malformed counts as deleted', async () => {
    world.directory.set(VNI, 'ip', ip(1), 'nonsense');
    await world.changed(ipKey(1));
    expect(world.neighbours(device)).toEqual({});
    // Read, and looked at once more before the entry goes.
    expect(world.counters.malformedRecords.get('syntax')).toBe(2);
  });

  it('does not count as a use of its entry', async () => {
    const used = device.tables.neighbours.get(ip(1))?.usedAt;
    world.time += 1_000;
    // Disputed: the first record's VTEP stays in force, and the second is looked at whenever it is read.
    world.endpoint(device, ip(2), mac(1), vtep(3));
    world.time += 1_000;
    await world.changed(ipKey(2));
    expect(device.tables.neighbours.get(ip(1))?.usedAt).toBe(used);
    expect(device.tables.neighbours.get(ip(2))?.usedAt).toBe(world.time - 1_000);
  });
});

describe('a deleted ip: record', () => {
  it('removes the neighbour and then the FDB entry', async () => {
    world.directory.delete(VNI, 'ip', ip(1));
    await world.changed(ipKey(1));
    expect(world.kernel.written.map(({ op, table }) => `${op} ${table}`)).toEqual([
      'delete neighbour',
      'delete fdb',
    ]);
    expect(device.tables.neighbours.size + device.tables.fdb.size).toBe(0);
    expect(world.corrections()).toEqual({ withdrawn: 1 });
  });

  it('leaves the address to a lease', async () => {
    world.directory.lease(VNI, '20.0.0.0/24', `${mac(7)} ${vtep(4)}`);
    world.directory.delete(VNI, 'ip', ip(1));
    await world.changed(ipKey(1));
    expect(world.neighbours(device)).toEqual({ [ip(1)]: mac(7) });
    expect(world.fdb(device)).toEqual({ [mac(7)]: vtep(4) });
  });

  it('gives the FDB entry of a shared MAC the VTEP of another user’s record', async () => {
    world.endpoint(device, ip(2), mac(1), vtep(3));
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(2) });
    world.directory.delete(VNI, 'ip', ip(1));
    await world.changed(ipKey(1));
    expect(world.neighbours(device)).toEqual({ [ip(2)]: mac(1) });
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(3) });
    expect(device.tables.fdb.get(mac(1))?.source).toEqual({ kind: 'ip', name: ip(2) });
  });
});

describe('a mac: record', () => {
  it('that is new moves the MAC, and a later ip: record does not move it back', async () => {
    world.directory.set(VNI, 'mac', mac(1), vtep(3));
    await world.changed(macKey(1));
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(3) });
    await world.changed(ipKey(1));
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(3) });
    expect(device.tables.fdb.get(mac(1))?.source.kind).toBe('mac');
  });

  it('that is deleted leaves the MAC to the ip: record', async () => {
    world.directory.set(VNI, 'mac', mac(1), vtep(3));
    await world.changed(macKey(1));
    world.directory.delete(VNI, 'mac', mac(1));
    await world.changed(macKey(1));
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(2) });
    expect(device.tables.fdb.get(mac(1))?.source).toEqual({ kind: 'ip', name: ip(1) });
  });

  it('that is deleted keeps the VTEP if the ip: record names the same, and follows that record from then on', async () => {
    world.directory.set(VNI, 'mac', mac(1), vtep(2));
    await world.changed(macKey(1));
    world.directory.delete(VNI, 'mac', mac(1));
    await world.changed(macKey(1));
    world.directory.set(VNI, 'ip', ip(1), `${mac(1)} ${vtep(4)}`);
    await world.changed(ipKey(1));
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(4) });
  });

  it('that names this host removes every address of the MAC', async () => {
    world.endpoint(device, ip(2), mac(1), vtep(2));
    world.directory.set(VNI, 'mac', mac(1), HERE);
    await world.changed(macKey(1));
    expect(world.neighbours(device)).toEqual({});
    expect(world.fdb(device)).toEqual({});
  });

  it('is read after a first answer from the ip: record', async () => {
    world.directory.set(VNI, 'mac', mac(1), vtep(3));
    const lane = new PortLane(GUEST, LOOKUP_RATE, world.time);
    const question = {
      device,
      layer: 'l3' as const,
      address: ip(1),
      askers: [],
      receivedAt: world.time,
      lane,
      waiting: false,
    };
    const answer = {
      mac: mac(1),
      vtep: vtep(2),
      router: false,
      source: { kind: 'ip' as const, name: ip(1) },
    };
    world.reconciler.settled([{ question, outcome: 'resolved', answer }]);
    await turns();
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(3) });
  });
});

describe('an endpoint that came to this host', () => {
  it('loses its entries and the bridge’s row for the tunnel', async () => {
    world.kernel.putBridgeFdb(BRIDGE, VXLAN, mac(1));
    world.directory.set(VNI, 'ip', ip(1), `${mac(1)} ${HERE}`);
    await world.changed(ipKey(1));
    expect(world.neighbours(device)).toEqual({});
    expect(world.fdb(device)).toEqual({});
    expect(world.kernel.getBridgeFdb(BRIDGE, [mac(1)])).toEqual([undefined]);
  });

  it('keeps the bridge’s row on the guest port', async () => {
    world.kernel.putBridgeFdb(BRIDGE, GUEST, mac(1));
    world.directory.set(VNI, 'ip', ip(1), `${mac(1)} ${HERE}`);
    await world.changed(ipKey(1));
    expect(world.kernel.getBridgeFdb(BRIDGE, [mac(1)])).not.toEqual([undefined]);
  });
});

describe('a record of an address that is not held', () => {
  it('that names another host removes the MAC from its old port', async () => {
    world.kernel.putBridgeFdb(BRIDGE, GUEST, mac(5), 100);
    world.directory.set(VNI, 'ip', ip(5), `${mac(5)} ${vtep(2)}`);
    await world.changed(ipKey(5));
    expect(world.kernel.getBridgeFdb(BRIDGE, [mac(5)])).toEqual([undefined]);
    expect(world.neighbours(device)).toEqual({ [ip(1)]: mac(1) });
  });

  it('removes the MAC from the negative cache', async () => {
    device.absent.add(mac(5));
    world.directory.set(VNI, 'ip', ip(5), `${mac(5)} ${vtep(2)}`);
    await world.changed(ipKey(5));
    expect(device.absent.has(mac(5))).toBe(false);
  });
});

describe('a removed device', () => {
  it('is not written to, and has no grace', async () => {
    for (let n = 1; n <= 20; n++) world.endpoint(device, ip(n), mac(n), vtep(2));
    for (let n = 1; n <= 20; n++) world.directory.delete(VNI, 'ip', ip(n));
    world.kernel.written.length = 0;
    world.directory.hold();
    await world.gap();
    world.devices.length = 0;
    world.reconciler.forget(device);
    world.directory.release();
    await turns();
    expect(world.kernel.written).toEqual([]);
    expect(world.reconciler.guard.active).toEqual([]);
  });

  it('during the apply does not affect other devices', async () => {
    const broken = world.device({ ...device.link, ifindex: 9, name: 'broken' });
    world.devices.reverse();
    world.place(broken, ip(1), mac(1), vtep(2));
    const { kernel } = world;
    const getNeighbours = kernel.getNeighbours.bind(kernel);
    kernel.getNeighbours = (keys) => {
      if (keys.some(({ ifindex }) => ifindex === 9)) throw new Error('the namespace is closed');
      return getNeighbours(keys);
    };
    world.directory.delete(VNI, 'ip', ip(1));
    await world.changed(ipKey(1));
    expect(world.neighbours(device)).toEqual({});
  });
});

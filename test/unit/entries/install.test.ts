import { beforeEach, describe, expect, it, vi } from 'vitest';
import {
  NTF_EXT_LEARNED,
  NTF_ROUTER,
  NTF_SELF,
  NTF_STICKY,
  NUD_FAILED,
  NUD_NOARP,
  NUD_PERMANENT,
  NUD_PROBE,
  NUD_REACHABLE,
  NUD_STALE,
} from '../../../src/kernel/netlink.ts';
import type { Answer, Placement } from '../../../src/model/question.ts';
import type { ServedDevice } from '../../../src/model/device.ts';
import { type InstallOutcome, install } from '../../../src/entries/install.ts';
import {
  BRIDGE,
  GUEST,
  HERE,
  OUR_FDB_ROW,
  OUR_ROW,
  ROUTED,
  VXLAN,
  World,
  ip,
  mac,
  vtep,
  vxlanLink,
} from '../fake/world.ts';

let world: World;
let device: ServedDevice;

const answer = (n: number, rest: Partial<Answer> = {}): Answer => ({
  mac: mac(n),
  vtep: vtep(2),
  router: false,
  source: { kind: 'ip', name: ip(n) },
  ...rest,
});
const l3 = (n: number, rest: Partial<Answer> = {}): Placement => ({
  device,
  ip: ip(n),
  answer: answer(n, rest),
});
const l2 = (n: number, rest: Partial<Answer> = {}): Placement => ({ device, answer: answer(n, rest) });
const put = (...placements: Placement[]): InstallOutcome[] => install(placements, world.deps);
const ops = (): string[] => world.kernel.written.map(({ op, table }) => `${op} ${table}`);

beforeEach(() => {
  world = new World();
  device = world.device();
});

describe('an answer', () => {
  it('is written as FDB entry and then neighbour, with missd’s marks', () => {
    expect(put(l3(1))).toEqual(['resolved']);
    expect(world.kernel.written).toEqual([
      {
        table: 'fdb',
        op: 'create',
        ifindex: VXLAN,
        lladdr: mac(1),
        vtep: vtep(2),
        portless: false,
        ...OUR_FDB_ROW,
      },
      { table: 'neighbour', op: 'create', ifindex: VXLAN, ip: ip(1), lladdr: mac(1), ...OUR_ROW },
    ]);
    expect(device.tables.neighbours.get(ip(1))).toMatchObject({ mac: mac(1), usedAt: world.time });
    expect(device.tables.fdb.get(mac(1))).toMatchObject({ vtep: vtep(2), checkedAt: world.time });
  });

  it('of an L2 miss is an FDB entry alone', () => {
    expect(put(l2(1))).toEqual(['resolved']);
    expect(ops()).toEqual(['create fdb']);
  });

  it('that names a router marks the FDB entry at its creation', () => {
    put(l3(1, { router: true }));
    expect(world.kernel.fdbOf(VXLAN)[0]?.flags).toBe(NTF_SELF | NTF_EXT_LEARNED | NTF_ROUTER);
  });

  it('that shares its MAC with another one writes the FDB entry once', () => {
    expect(put(l3(1), l3(2, { mac: mac(1) }), l3(3, { mac: mac(1) }))).toEqual(Array(3).fill('resolved'));
    expect(ops()).toEqual(['create fdb', ...Array<string>(3).fill('create neighbour')]);
    put(l3(4, { mac: mac(1) }));
    expect(ops().filter((op) => op.endsWith('fdb'))).toHaveLength(1);
  });

  it('whose FDB entry is refused writes no neighbour with that MAC, and other answers are written', () => {
    world.kernel.refuse = (one) => (one.table === 'fdb' && one.lladdr === mac(1) ? 'EPERM' : undefined);
    expect(put(l3(1), l3(2), l3(3, { mac: mac(1) }))).toEqual(['failed', 'resolved', 'failed']);
    expect(world.neighbours(device)).toEqual({ [ip(2)]: mac(2) });
    expect([...device.tables.neighbours.keys()]).toEqual([ip(2)]);
    expect([...device.tables.fdb.keys()]).toEqual([mac(2)]);
    expect(world.counters.writeFailures.fdb).toBe(1);
  });

  it('goes to the kernel in one send with all others', () => {
    const write = vi.spyOn(world.kernel, 'write');
    put(l3(1), l3(2), l2(3));
    expect(write).toHaveBeenCalledTimes(1);
    expect(ops()).toEqual([
      ...Array<string>(3).fill('create fdb'),
      ...Array<string>(2).fill('create neighbour'),
    ]);
  });

  it('in the routed topology replaces the incomplete neighbours, read together, in the same send', () => {
    device = world.device(vxlanLink(ROUTED, false));
    for (const n of [1, 2])
      world.kernel.putNeighbour({ ifindex: ROUTED, ip: ip(n), state: 0x01, flags: 0, protocol: 0 });
    const look = vi.spyOn(world.kernel, 'getNeighbours');
    const write = vi.spyOn(world.kernel, 'write');
    expect(put(l3(1), l3(2), l3(3))).toEqual(Array(3).fill('resolved'));
    expect([look.mock.calls.length, write.mock.calls.length]).toEqual([1, 1]);
    expect(ops().slice(3)).toEqual(['replace neighbour', 'replace neighbour', 'create neighbour']);
  });

  it('whose neighbour is refused has failed', () => {
    world.kernel.refuse = (one) => (one.table === 'neighbour' ? 'ENOBUFS' : undefined);
    expect(put(l3(1))).toEqual(['failed']);
    expect(device.tables.neighbours.size).toBe(0);
    expect(world.counters.writeFailures.neighbour).toBe(1);
  });

  it('that the device cannot carry is refused by the kernel, and other answers are written', () => {
    expect(put(l3(1, { vtep: 'fd00::2' }), l3(2))).toEqual(['failed', 'resolved']);
    expect(world.fdb(device)).toEqual({ [mac(2)]: vtep(2) });
  });
});

describe('a local endpoint', () => {
  it('gets no entry if the VTEP is this host', () => {
    expect(put(l3(1, { vtep: HERE }), l2(2, { vtep: HERE }))).toEqual(['local', 'local']);
    expect(world.kernel.written).toEqual([]);
    expect(Object.values(world.counters.conflicts)).not.toContain(1);
  });

  it('gets no entry if an interface has the address, which is a conflict', () => {
    world.assigned.add(ip(1));
    expect(put(l3(1))).toEqual(['local']);
    expect(world.kernel.written).toEqual([]);
    expect(world.counters.conflicts.assigned_here).toBe(1);
  });

  it.each([
    ['heard a moment ago', 1_999, NUD_REACHABLE, 0],
    ['permanent', 60_000, NUD_PERMANENT, 0],
    ['static', 60_000, NUD_NOARP, 0],
    ['another control plane’s', 60_000, NUD_REACHABLE, NTF_EXT_LEARNED],
    ['sticky', 60_000, NUD_REACHABLE, NTF_STICKY],
  ])('gets no entry if the bridge has the MAC on another port, %s', (_, ago, state, flags) => {
    world.kernel.putBridgeFdb(BRIDGE, GUEST, mac(1), ago, state, flags);
    expect(put(l3(1))).toEqual(['local']);
    expect(world.kernel.written).toEqual([]);
    expect(world.counters.conflicts.bridge_knows_mac).toBe(1);
  });

  it('keeps its bridge row at any age', () => {
    world.kernel.putBridgeFdb(BRIDGE, GUEST, mac(1), 60_000);
    expect(put(l3(1, { vtep: HERE }), l2(1, { vtep: HERE }))).toEqual(['local', 'local']);
    expect(world.kernel.written).toEqual([]);
    expect(world.counters.conflicts.bridge_knows_mac).toBe(0);
  });

  it.each([
    ['an L2 miss', l2],
    ['an L3 miss', l3],
  ])('is not behind the tunnel: the answer to %s removes the row that the bridge learned', (_, placement) => {
    world.kernel.putBridgeFdb(BRIDGE, VXLAN, mac(1));
    world.kernel.putBridgeFdb(BRIDGE, VXLAN, mac(2));
    expect(put(placement(1, { vtep: HERE }))).toEqual(['local']);
    expect(world.kernel.bridgeFdbOf(BRIDGE).map(({ lladdr }) => lladdr)).toEqual([mac(2)]);
    expect(world.counters.reconcileChanges.get('removed_bridge_entry')).toBe(1);
  });

  it('stays behind the tunnel if a configured bridge row leads there, which is a conflict', () => {
    world.kernel.putBridgeFdb(BRIDGE, VXLAN, mac(1), 0, NUD_NOARP);
    expect(put(l2(1, { vtep: HERE }))).toEqual(['local']);
    expect(world.kernel.written).toEqual([]);
    expect(world.counters.conflicts.bridge_knows_mac).toBe(1);
  });

  it('is not a MAC that the bridge heard on another port long ago: that row is removed', () => {
    world.kernel.putBridgeFdb(BRIDGE, GUEST, mac(1), 2_000);
    expect(put(l3(1))).toEqual(['resolved']);
    expect(world.kernel.getBridgeFdb(BRIDGE, [mac(1)])).toEqual([undefined]);
    expect(world.counters.reconcileChanges.get('removed_bridge_entry')).toBe(1);
  });

  it('is not a MAC that the bridge has behind the VXLAN device', () => {
    world.kernel.putBridgeFdb(BRIDGE, VXLAN, mac(1));
    expect(put(l3(1))).toEqual(['resolved']);
  });
});

describe('a row that exists already', () => {
  const stand = (state: number, flags: number, behind = vtep(9)): void => {
    world.kernel.putFdb({ ifindex: VXLAN, lladdr: mac(1), vtep: behind, state, flags });
  };

  it.each([
    ['permanent', NUD_PERMANENT],
    ['dynamic', NUD_REACHABLE],
  ])('stays if it is a foreign %s FDB entry, and the neighbour is written', (_, state) => {
    stand(state, NTF_SELF);
    expect(put(l3(1))).toEqual(['resolved']);
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(9) });
    expect(world.neighbours(device)).toEqual({ [ip(1)]: mac(1) });
    expect(device.tables.fdb.size).toBe(0);
    expect(world.counters.conflicts.foreign_fdb).toBe(1);
    expect(ops()).toEqual(['create fdb', 'create neighbour']);
  });

  it('is no conflict if it equals the answer', () => {
    stand(NUD_PERMANENT, NTF_SELF, vtep(2));
    put(l3(1));
    expect(world.counters.conflicts.foreign_fdb).toBe(0);
  });

  it('is replaced in place if it is missd’s with another VTEP', () => {
    world.place(device, ip(1), mac(1), vtep(9));
    expect(put(l3(1))).toEqual(['resolved']);
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(2) });
    expect(ops()).not.toContain('delete fdb');
  });

  it('is deleted and created if it is missd’s and lacks the router flag', () => {
    world.place(device, ip(1), mac(1), vtep(2));
    expect(put(l3(1, { router: true }))).toEqual(['resolved']);
    expect(world.kernel.fdbOf(VXLAN)[0]?.flags).toBe(OUR_FDB_ROW.flags | NTF_ROUTER);
  });

  it('counts as learned on a device with learning, unless it is permanent', () => {
    device = world.device(vxlanLink(VXLAN, true, { learning: true }));
    stand(NUD_REACHABLE, NTF_SELF);
    put(l3(1));
    expect(world.kernel.fdbOf(VXLAN)[0]).toMatchObject({ vtep: vtep(2), ...OUR_FDB_ROW });
    world.kernel.putFdb({
      ifindex: VXLAN,
      lladdr: mac(2),
      vtep: vtep(9),
      state: NUD_PERMANENT,
      flags: NTF_SELF,
    });
    put(l3(2));
    expect(world.fdb(device)).toMatchObject({ [mac(2)]: vtep(9) });
  });

  it.each([
    ['permanent', { state: NUD_PERMANENT, flags: 0, protocol: 0 }],
    ['permanent with our protocol left on it', { state: NUD_PERMANENT, flags: 0, protocol: 77 }],
    ['another daemon’s', { state: NUD_NOARP, flags: NTF_EXT_LEARNED, protocol: 186 }],
    ['reachable', { state: NUD_REACHABLE, flags: 0, protocol: 0 }],
  ])('stays if it is a neighbour that is %s', (_, row) => {
    world.kernel.putNeighbour({ ifindex: VXLAN, ip: ip(1), lladdr: mac(9), ...row });
    expect(put(l3(1))).toEqual(['failed']);
    expect(world.neighbours(device)).toEqual({ [ip(1)]: mac(9) });
    expect(device.tables.neighbours.size).toBe(0);
    expect(world.counters.conflicts.foreign_neighbour).toBe(1);
    expect(world.counters.writeFailures.neighbour).toBe(0);
  });

  it.each([NUD_STALE, NUD_PROBE, NUD_FAILED, 0x01])(
    'is replaced if it is the kernel’s neighbour in state %s',
    (state) => {
      world.kernel.putNeighbour({ ifindex: VXLAN, ip: ip(1), state, flags: 0, protocol: 0 });
      expect(put(l3(1))).toEqual(['resolved']);
      expect(world.kernel.neighboursOf(VXLAN)).toEqual([
        { ifindex: VXLAN, ip: ip(1), lladdr: mac(1), ...OUR_ROW },
      ]);
    },
  );

  it('that is gone when it is read fails this answer, and the next miss asks again', () => {
    world.kernel.refuse = () => 'EEXIST';
    expect(put(l3(1))).toEqual(['failed']);
  });
});

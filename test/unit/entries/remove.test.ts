import type { VxlanLink } from '../../../src/model/vxlan-link.ts';
import { beforeEach, describe, expect, it } from 'vitest';
import { NTF_EXT_LEARNED, NTF_SELF, NUD_PERMANENT, NUD_REACHABLE } from '../../../src/kernel/netlink.ts';
import type { ServedDevice } from '../../../src/model/device.ts';
import { flush, journalEvidence } from '../../../src/entries/flush.ts';
import { withdrawNeighbours } from '../../../src/entries/remove.ts';
import { BRIDGE, OUR_FDB_ROW, OUR_ROW, VXLAN, World, ip, mac, vtep, vxlanLink } from '../fake/world.ts';

let world: World;
let device: ServedDevice;
const withdraw = (...ips: string[]): ReadonlySet<string> =>
  withdrawNeighbours(device, ips, world.deps.report);

beforeEach(() => {
  world = new World();
  device = world.device();
  world.endpoint(device, ip(1), mac(1), vtep(2));
  world.endpoint(device, ip(2), mac(1), vtep(2));
  world.endpoint(device, ip(3), mac(3), vtep(2));
  world.kernel.written.length = 0;
});

describe('a withdrawal', () => {
  it('removes neighbours first, and only FDB entries that no other neighbour needs', () => {
    expect([...withdraw(ip(1), ip(3))]).toEqual([mac(1), mac(3)]);
    expect(world.kernel.written.map(({ op, table }) => `${op} ${table}`)).toEqual([
      'delete neighbour',
      'delete neighbour',
      'delete fdb',
    ]);
    expect(world.neighbours(device)).toEqual({ [ip(2)]: mac(1) });
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(2) });
    withdraw(ip(2));
    expect(world.fdb(device)).toEqual({});
    expect(device.tables.fdb.size + device.tables.neighbours.size).toBe(0);
  });

  it('leaves a row that an operator put in place of missd’s', () => {
    const state = NUD_PERMANENT;
    world.kernel.putNeighbour({ ifindex: VXLAN, ip: ip(3), lladdr: mac(9), state, flags: 0, protocol: 77 });
    world.kernel.putFdb({ ifindex: VXLAN, lladdr: mac(3), vtep: vtep(9), state, flags: NTF_SELF });
    withdraw(ip(3));
    expect(world.neighbours(device)).toHaveProperty([ip(3)], mac(9));
    expect(world.fdb(device)).toHaveProperty([mac(3)], vtep(9));
    expect(device.tables.neighbours.has(ip(3)) || device.tables.fdb.has(mac(3))).toBe(false);
  });

  it('of a missing row is no failure, but a refused removal is', () => {
    world.kernel.empty(VXLAN);
    withdraw(ip(1));
    expect(world.counters.writeFailures).toMatchObject({ neighbour: 0, fdb: 0 });
    world.kernel.putNeighbour({ ifindex: VXLAN, ip: ip(2), lladdr: mac(1), ...OUR_ROW });
    world.kernel.refuse = () => 'EPERM';
    withdraw(ip(2));
    expect(world.counters.writeFailures.neighbour).toBe(1);
  });
});

describe('flush', () => {
  const known = journalEvidence({
    ours: new Map([[mac(1), [vtep(2)]]]),
    foreign: new Map([[mac(4), vtep(4)]]),
    lines: 1,
    corrupt: 0,
  });
  const putFdb = (n: number, behind: number): void => {
    world.kernel.putFdb({ ifindex: 9, lladdr: mac(n), vtep: vtep(behind), ...OUR_FDB_ROW });
  };
  let link: VxlanLink;

  beforeEach(() => {
    link = world.device(vxlanLink(9, true, {}, 'other')).link;
    for (const n of [1, 2, 3, 4]) putFdb(n, n === 1 ? 2 : n);
    world.kernel.putNeighbour({ ifindex: 9, ip: ip(1), lladdr: mac(9), ...OUR_ROW, protocol: 0 });
    // Neighbours of ours name these.
    for (const n of [3, 4]) world.kernel.putNeighbour({ ifindex: 9, ip: ip(n), lladdr: mac(n), ...OUR_ROW });
  });

  it('removes the rows that the journal or a neighbour proves, and no others', async () => {
    expect(await flush(world.kernel, link, known)).toEqual({
      device: 'other',
      neighbours: 2,
      fdb: 2,
      routes: 0,
      foreign: 2,
    });
    expect(world.kernel.fdbOf(9).map(({ lladdr }) => lladdr)).toEqual([mac(2), mac(4)]);
    expect(world.kernel.neighboursOf(9)).toHaveLength(1);
  });

  it('leaves rows that another owner has marked, although the journal has them', async () => {
    world.kernel.putBridgeFdb(BRIDGE, 9, mac(1), 0, NUD_REACHABLE, NTF_EXT_LEARNED);
    world.kernel.putNeighbour({ ifindex: BRIDGE, ip: ip(3), lladdr: mac(3), ...OUR_ROW, protocol: 11 });
    expect(await flush(world.kernel, link, known)).toMatchObject({ fdb: 0, foreign: 4 });
  });

  it('removes all rows when the operator asks for it', async () => {
    expect(await flush(world.kernel, link, journalEvidence(undefined, true))).toMatchObject({
      fdb: 4,
      foreign: 0,
    });
  });

  it('reports rows that could not be removed', async () => {
    world.kernel.refuse = () => 'EPERM';
    await expect(flush(world.kernel, link, known)).rejects.toThrow('EPERM');
  });
});

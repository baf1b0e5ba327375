import { beforeEach, describe, expect, it } from 'vitest';
import { NTF_SELF, NUD_PERMANENT } from '../../../src/kernel/netlink.ts';
import type { ServedDevice } from '../../../src/served/device.ts';
import { flush } from '../../../src/tables/flush.ts';
import { withdrawNeighbours } from '../../../src/tables/withdraw.ts';
import { OUR_FDB_ROW, OUR_ROW, VXLAN, World, ip, mac, vtep, vxlanLink } from '../fake/world.ts';

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
  it('takes neighbours first, and only FDB entries that no other neighbour needs', () => {
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

  it('leaves what an operator has put over ours', () => {
    const state = NUD_PERMANENT;
    world.kernel.putNeighbour({ ifindex: VXLAN, ip: ip(3), lladdr: mac(9), state, flags: 0, protocol: 77 });
    world.kernel.putFdb({ ifindex: VXLAN, lladdr: mac(3), vtep: vtep(9), state, flags: NTF_SELF });
    withdraw(ip(3));
    expect(world.neighbours(device)).toHaveProperty([ip(3)], mac(9));
    expect(world.fdb(device)).toHaveProperty([mac(3)], vtep(9));
    expect(device.tables.neighbours.has(ip(3)) || device.tables.fdb.has(mac(3))).toBe(false);
  });

  it('of what is gone already is no failure, but one that is refused is', () => {
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
  beforeEach(() => {
    world.device(vxlanLink(9, true, {}, 'other'));
    world.kernel.putFdb({ ifindex: 9, lladdr: mac(1), vtep: vtep(2), ...OUR_FDB_ROW });
    world.kernel.putNeighbour({ ifindex: 9, ip: ip(1), lladdr: mac(1), ...OUR_ROW, protocol: 0 });
  });

  it('removes what is ours from every VXLAN device, and nothing else', async () => {
    expect(await flush(world.kernel, [])).toEqual([
      { device: 'vx', neighbours: 3, fdb: 2, routes: 0 },
      { device: 'other', neighbours: 0, fdb: 1, routes: 0 },
    ]);
    expect(world.kernel.neighboursOf(9)).toHaveLength(1);
  });

  it('removes it from those named', async () => {
    await flush(world.kernel, ['other']);
    expect(world.kernel.fdbOf(VXLAN)).toHaveLength(2);
    expect(world.kernel.fdbOf(9)).toEqual([]);
  });

  it('says what could not be removed', async () => {
    world.kernel.refuse = () => 'EPERM';
    await expect(flush(world.kernel, [])).rejects.toThrow('EPERM');
  });
});

import { beforeEach, describe, expect, it } from 'vitest';
import { NTF_ROUTER } from '../../../src/kernel/netlink.ts';
import type { Answer, Placement } from '../../../src/model/question.ts';
import type { ServedDevice } from '../../../src/model/device.ts';
import { install } from '../../../src/entries/install.ts';
import { OUR_FDB_ROW, VXLAN, World, ip, mac, vtep, vxlanLink } from '../fake/world.ts';

let world: World;
let device: ServedDevice;

const put = (...placements: Placement[]): void => void install(placements, world.deps);

beforeEach(() => {
  world = new World();
  device = world.device();
});

describe('records of one MAC that disagree', () => {
  const shared = (n: number, behind: string, rest: Partial<Answer> = {}): Placement => {
    const source = { kind: 'ip' as const, name: ip(n) };
    return { device, ip: ip(n), answer: { mac: mac(1), vtep: behind, router: false, source, ...rest } };
  };

  it('keep the held VTEP until its own record changes', () => {
    put(shared(1, vtep(3)));
    put(shared(2, vtep(2)));
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(3) });
    expect(world.counters.conflicts.vtep_disputed).toBe(1);
    put(shared(1, vtep(4)));
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(4) });
  });

  it('yield to a mac: record, in any order', () => {
    const named = { vtepSource: { kind: 'mac' as const, name: mac(1) } };
    put(shared(1, vtep(3)));
    put(shared(1, vtep(5), named));
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(5) });
    put(shared(2, vtep(3)));
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(5) });
    device = world.device(vxlanLink(9, true, {}, 'other'));
    put(shared(1, vtep(3)), shared(2, vtep(5), named), shared(3, vtep(4)));
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(5) });
  });

  it('resolve to the first record in a batch, and at start to the lowest VTEP', () => {
    put(shared(1, vtep(10)), shared(2, vtep(9)));
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(10) });
    device = world.device(vxlanLink(9, true, {}, 'other'));
    device.verified = false;
    put(shared(1, vtep(10)), shared(2, vtep(9)));
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(9) });
    put(shared(3, vtep(8)));
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(8) });
  });

  it('do not disagree if only one names a router: the MAC is then a router', () => {
    put(shared(1, vtep(2)));
    put(shared(2, vtep(2), { router: true }));
    expect(world.kernel.fdbOf(VXLAN)[0]?.flags).toBe(OUR_FDB_ROW.flags | NTF_ROUTER);
    put(shared(3, vtep(2)));
    expect(world.kernel.fdbOf(VXLAN)[0]?.flags).toBe(OUR_FDB_ROW.flags | NTF_ROUTER);
    expect(world.counters.conflicts.vtep_disputed).toBe(0);
  });
});

import { beforeEach, describe, expect, it } from 'vitest';
import {
  NTF_EXT_LEARNED,
  NUD_PERMANENT,
  NUD_PROBE,
  NUD_REACHABLE,
  NUD_STALE,
} from '../../../src/kernel/netlink.ts';
import { type Concerned, dispatch } from '../../../src/daemon/event-dispatch.ts';
import { FoldedLog } from '../../../src/base/log.ts';
import { Report } from '../../../src/daemon/report.ts';
import type { ServedDevice } from '../../../src/model/device.ts';
import { install } from '../../../src/entries/install.ts';
import { OUR_ROW, ROUTED, VNI, VXLAN, ip, mac, vtep, vxlanLink } from '../fake/world.ts';
import { IDLE, ReconcileWorld } from './reconciling.ts';

let world: ReconcileWorld;
let device: ServedDevice;

const SECONDS = 1_000;
const addresses = (): string[] => Object.keys(world.neighbours(device));

/** Time goes by without ticks, so that nothing is read again. */
async function auditAfter(seconds: number): Promise<void> {
  world.time += seconds * SECONDS;
  await world.audit();
}

describe('an entry with a MAC of its own', () => {
  beforeEach(() => {
    world = new ReconcileWorld();
    device = world.device();
    world.hold(device, 2);
  });

  it('is removed when its FDB entry has not forwarded for the idle time; an entry that has forwarded stays', async () => {
    world.time += (IDLE - 1) * SECONDS;
    world.kernel.use(VXLAN, mac(1));
    await auditAfter(2);
    expect(addresses()).toEqual([ip(1)]);
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(2) });
    expect(world.corrections()).toEqual({ idle: 2 });
  });

  it('counts as used when a guest asks for it', async () => {
    world.time += IDLE * SECONDS;
    world.endpoint(device, ip(2), mac(2), vtep(2));
    await auditAfter(1);
    expect(addresses()).toEqual([ip(2)]);
  });

  it('does not count as used by a check of its record', async () => {
    for (let minute = 0; minute <= IDLE / 60; minute++) {
      world.time += 59 * SECONDS;
      await world.pass(1);
    }
    await world.audit();
    expect(addresses()).toEqual([]);
  });

  it('of an FDB entry alone is removed in the same way', async () => {
    const source = { kind: 'mac' as const, name: mac(9) };
    install([{ device, answer: { mac: mac(9), vtep: vtep(3), router: false, source } }], world.deps);
    await auditAfter(IDLE + 1);
    expect(world.fdb(device)).toEqual({});
  });
});

describe('bridged addresses that share a MAC', () => {
  it('are removed if no guest asked for them', async () => {
    world = new ReconcileWorld();
    device = world.device();
    for (const n of [1, 2, 3]) world.endpoint(device, ip(n), mac(1), vtep(2));
    world.time += IDLE * SECONDS;
    world.kernel.use(VXLAN, mac(1));
    world.kernel.ask(VXLAN, ip(2));
    await auditAfter(1);
    expect(addresses()).toEqual([ip(2)]);
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(2) });
  });
});

describe('routed addresses that share a MAC', () => {
  const state = (n: number): number | undefined =>
    world.kernel.neighboursOf(ROUTED).find((row) => row.ip === ip(n))?.state;
  const become = (n: number, next: number): void => {
    world.kernel.putNeighbour({ ifindex: ROUTED, ip: ip(n), lladdr: mac(1), ...OUR_ROW, state: next });
  };

  /** As the daemon hears of it. */
  const joinBridge = (): void => {
    device.link = vxlanLink(ROUTED, true);
    world.kernel.setLink(device.link);
    const { reconciler, log, counters, history, now } = world;
    const report = new Report(counters, new FoldedLog(log, now), history);
    dispatch({ type: 'bridged', device }, { reconciler, log, report } as Concerned);
  };

  beforeEach(async () => {
    world = new ReconcileWorld();
    device = world.device(vxlanLink(ROUTED, false));
    for (const n of [1, 2, 3]) world.endpoint(device, ip(n), mac(1), vtep(2));
    await auditAfter(IDLE + 1);
  });

  it('become STALE as a probe, and go on forwarding', () => {
    expect([1, 2, 3].map(state)).toEqual([NUD_STALE, NUD_STALE, NUD_STALE]);
    expect(world.kernel.neighboursOf(ROUTED)[0]?.flags).toBe(NTF_EXT_LEARNED);
  });

  it('are removed with their row when they stay STALE', async () => {
    become(2, NUD_REACHABLE);
    await auditAfter(IDLE / 2);
    expect(addresses()).toEqual([ip(2)]);
    expect(state(2)).toBe(OUR_ROW.state);
    expect(device.tables.staleProbes.size).toBe(0);
  });

  it('are not repaired during the probe', async () => {
    await auditAfter(10);
    expect([1, 2, 3].map(state)).toEqual([NUD_STALE, NUD_STALE, NUD_STALE]);
  });

  it('are removed with their record, including the row', async () => {
    world.directory.delete(VNI, 'ip', ip(1));
    await world.changed({ vni: VNI, kind: 'ip', address: ip(1) });
    expect(addresses()).toEqual([ip(2), ip(3)]);
  });

  it('are NOARP again when a guest asks for them, and repaired from then on', async () => {
    become(1, NUD_PROBE);
    expect(world.endpoint(device, ip(1), mac(1), vtep(2))).toBe('resolved');
    expect(state(1)).toBe(OUR_ROW.state);
    expect(device.tables.staleProbes.has(ip(1))).toBe(false);
    world.kernel.removeNeighbour(ROUTED, ip(1));
    await auditAfter(1);
    expect(state(1)).toBe(OUR_ROW.state);
  });

  it('are NOARP again as soon as the kernel reports a miss, without a directory', () => {
    become(1, NUD_PROBE);
    world.directory.fail('away');
    const misses = [ip(1), ip(9)].map((address) => ({
      layer: 'l3' as const,
      ifindex: ROUTED,
      address,
      state: NUD_PROBE,
      count: 1,
    }));
    world.reconciler.onMisses({ misses, deviceOf: () => device });
    expect([1, 2, 3].map(state)).toEqual([OUR_ROW.state, NUD_STALE, NUD_STALE]);
    expect(device.tables.neighbours.get(ip(1))?.usedAt).toBe(world.time);
  });

  it('are NOARP again when the device joins a bridge, where a STALE neighbour answers no guest', async () => {
    expect(device.tables.staleProbes.size).toBe(3);
    become(3, NUD_PERMANENT);
    joinBridge();
    expect([1, 2, 3].map(state)).toEqual([OUR_ROW.state, OUR_ROW.state, NUD_PERMANENT]);
    expect(device.tables.staleProbes.size).toBe(0);
    expect(device.tables.neighbours.get(ip(1))?.usedAt).toBe(world.time);
    await world.settled();
    expect([1, 2].map(state)).toEqual([OUR_ROW.state, OUR_ROW.state]);
  });

  it('leave no kernel row on a bridge that would block ARP requests', async () => {
    world.kernel.putNeighbour({ ifindex: ROUTED, ip: ip(9), state: NUD_STALE, flags: 0, protocol: 0 });
    joinBridge();
    await world.settled();
    expect(state(9)).toBeUndefined();
  });

  it('do not count an operator’s permanent entry as use', async () => {
    become(1, NUD_PERMANENT);
    await auditAfter(10);
    expect(state(1)).toBe(NUD_PERMANENT);
    expect(world.counters.conflicts.overridden).toBeGreaterThan(0);
  });

  it('do not stay STALE when only one is left, whose FDB entry shows its use', async () => {
    for (const n of [2, 3]) {
      world.directory.delete(VNI, 'ip', ip(n));
      await world.changed({ vni: VNI, kind: 'ip', address: ip(n) });
    }
    world.kernel.use(ROUTED, mac(1));
    await auditAfter(10);
    expect(state(1)).toBe(OUR_ROW.state);
  });

  it('left STALE by an earlier daemon are adopted', async () => {
    const successor = world.device(vxlanLink(ROUTED, false));
    world.devices.shift();
    successor.adopted = false;
    world.reconciler.begin(successor, Promise.resolve());
    await auditAfter(10);
    expect([...successor.tables.neighbours.keys()]).toEqual([ip(1), ip(2), ip(3)]);
    expect([1, 2, 3].map(state)).toEqual([OUR_ROW.state, OUR_ROW.state, OUR_ROW.state]);
  });
});

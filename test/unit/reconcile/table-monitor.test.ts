import { PortLane } from '../../../src/model/question.ts';
import { beforeEach, describe, expect, it } from 'vitest';
import type { FdbEntry, Neighbour } from '../../../src/base/vocabulary.ts';
import type { ServedDevice } from '../../../src/model/device.ts';
import { BRIDGE, GUEST, HERE, LOOKUP_RATE, OUR_ROW, VXLAN, ip, mac, vtep } from '../fake/world.ts';
import { ReconcileWorld } from './reconciling.ts';

/** More than are read whole every time. */
const MANY = 5_001;
/** What reading them whole takes, ms. */
const COST = 600;
/** Dumps that takes: FDB, neighbours, and the bridge's neighbours. */
const WHOLE = 3;

let world: ReconcileWorld;
let device: ServedDevice;
let dumps: number;

beforeEach(async () => {
  world = new ReconcileWorld();
  device = world.device();
  for (let n = 1; n <= MANY; n++) world.place(device, ip(n), mac(n), vtep(2));
  dumps = 0;
  world.kernel.onDump = (when) => {
    if (when === 'after') return;
    dumps++;
    world.time += COST / WHOLE;
  };
  await world.audit();
  expect(dumps).toBe(WHOLE);
});

async function auditSoon(): Promise<void> {
  world.time += 10_000;
  world.reconciler.auditChanges(world.devices);
  await world.settled();
}

const neighbour = (n: number): Neighbour | undefined => world.kernel.neighbour(VXLAN, ip(n));
const told = (row: Neighbour | FdbEntry | undefined, removed = false): void => {
  if (row === undefined) throw new Error('no row to tell of');
  world.reconciler.onRows({
    changes: [{ removed, row }],
    deviceOf: world.deviceOf,
    behindBridge: () => undefined,
  });
};

describe('tables that are too large for frequent dumps', () => {
  it('are monitored, and repaired where the kernel reports a change', async () => {
    expect(world.kernel.watched).toEqual([VXLAN, BRIDGE]);
    const gone = neighbour(1);
    world.kernel.removeNeighbour(VXLAN, ip(1));
    world.kernel.putFdb({ ifindex: VXLAN, lladdr: mac(2), vtep: vtep(9), state: 2, flags: 0x12 });
    told(gone, true);
    told(world.kernel.fdbEntry(VXLAN, mac(2)));
    await auditSoon();
    expect(dumps).toBe(WHOLE);
    expect(neighbour(1)?.lladdr).toBe(mac(1));
    expect(world.fdb(device)[mac(2)]).toBe(vtep(2));
    expect(world.corrections()).toEqual({ restored_neighbour: 1, repaired_fdb: 1 });
  });

  it('are not changed by late events of earlier writes', async () => {
    const row = { ifindex: VXLAN, ip: ip(1), lladdr: mac(77), ...OUR_ROW };
    told(row);
    world.kernel.written.length = 0;
    await auditSoon();
    expect(world.kernel.written).toEqual([]);
  });

  it('adopt rows with missd’s marks, and lose the kernel’s leftover rows', async () => {
    world.directory.set(device.vni, 'ip', ip(9_000), `${mac(9_000)} ${vtep(2)}`);
    world.kernel.putNeighbour({ ifindex: VXLAN, ip: ip(9_000), lladdr: mac(9_000), ...OUR_ROW });
    world.kernel.putNeighbour({ ifindex: VXLAN, ip: ip(9_001), state: 0x20, flags: 0, protocol: 0 });
    told(neighbour(9_000));
    told(neighbour(9_001));
    await auditSoon();
    expect(dumps).toBe(WHOLE);
    expect(world.corrections()).toMatchObject({ adopted_neighbour: 1, removed_leftover: 1 });
  });

  it('are dumped if that takes no more than a hundredth of the time', async () => {
    world.kernel.removeNeighbour(VXLAN, ip(1));
    await auditSoon();
    expect(neighbour(1)).toBeUndefined();
    world.time += 100 * COST;
    await auditSoon();
    expect(dumps).toBe(2 * WHOLE);
    expect(neighbour(1)?.lladdr).toBe(mac(1));
  });

  it('are dumped after many changes', async () => {
    world.kernel.removeNeighbour(VXLAN, ip(1));
    await world.audit();
    expect(dumps).toBe(2 * WHOLE);
    expect(neighbour(1)?.lladdr).toBe(mac(1));
  });

  it('are not monitored in a storm, and dumped after it', async () => {
    const lane = new PortLane(GUEST, LOOKUP_RATE, world.time);
    const question = {
      device,
      layer: 'l3' as const,
      address: HERE,
      askers: [],
      receivedAt: 0,
      lane,
      waiting: false,
    };
    const settled = Array.from({ length: 1_001 }, () => ({ question, outcome: 'failed' as const }));
    world.reconciler.settled(settled);
    expect(world.kernel.watched).toEqual([VXLAN, BRIDGE]);
    world.reconciler.settled(settled);
    expect(world.kernel.watched).toEqual([]);
    world.kernel.removeNeighbour(VXLAN, ip(1));
    await auditSoon();
    expect(dumps).toBe(2 * WHOLE);
    expect(neighbour(1)?.lladdr).toBe(mac(1));
    expect(world.kernel.watched).toEqual([VXLAN, BRIDGE]);
  });

  it('are dumped after missed events, and again after a failed dump', async () => {
    world.reconciler.missRows();
    world.kernel.dumpFailure = 'EINTR';
    await auditSoon();
    world.kernel.dumpFailure = undefined;
    const before = dumps;
    await auditSoon();
    expect(dumps).toBe(before + WHOLE);
  });

  it('include changes during a dump', async () => {
    world.kernel.onDump = (when) => {
      if (when === 'before' || neighbour(1) === undefined) return;
      const gone = neighbour(1);
      world.kernel.removeNeighbour(VXLAN, ip(1));
      told(gone, true);
    };
    await world.audit();
    await auditSoon();
    expect(neighbour(1)?.lladdr).toBe(mac(1));
  });
});

import { beforeEach, describe, expect, it } from 'vitest';
import type { ServedDevice } from '../../../src/model/device.ts';
import { install } from '../../../src/entries/install.ts';
import { removeNeighbours, withdrawNeighbours } from '../../../src/entries/remove.ts';
import { VNI, VXLAN, ip, mac, turns, vtep } from '../fake/world.ts';
import { GRACE, IDLE, ReconcileWorld, ipKey } from './reconciling.ts';

let world: ReconcileWorld;
let device: ServedDevice;

const held = (): number => Object.keys(world.neighbours(device)).length;

function lose(from: number, to: number): void {
  for (let n = from; n <= to; n++) world.directory.delete(VNI, 'ip', ip(n));
}

function restore(from: number, to: number): void {
  for (let n = from; n <= to; n++) world.directory.set(VNI, 'ip', ip(n), `${mac(n)} ${vtep(2)}`);
}

beforeEach(() => {
  world = new ReconcileWorld();
  device = world.device();
});

describe('a full resync', () => {
  it.each([
    { records: 20, lost: 11, stay: 20 },
    { records: 22, lost: 11, stay: 11 },
    { records: 12, lost: 10, stay: 2 },
    { records: 11, lost: 11, stay: 11 },
  ])('that loses $lost of $records records keeps $stay', async ({ records, lost, stay }) => {
    world.hold(device, records);
    lose(1, lost);
    await world.gap();
    expect(held()).toBe(stay);
    expect(world.reconciler.guard.active).toEqual(stay === records ? [VNI] : []);
  });

  it.each([
    {
      missing: 3,
      stay: 20,
      what: 'is taken to have taken all, however many are back by the time they are read',
    },
    { missing: 0, stay: 20, what: 'that was in another database takes nothing' },
  ])('that follows a flush $what', async ({ missing, stay }) => {
    world.hold(device, 20);
    lose(1, missing);
    world.reconciler.onChange({ type: 'flushed' });
    await turns();
    expect(held()).toBe(stay);
    expect(world.reconciler.guard.active).toEqual(missing > 0 ? [VNI] : []);
  });

  it('keeps a single entry where hosts publish their guests, because they put its record back', async () => {
    device.learning = true;
    world.hold(device, 1);
    lose(1, 1);
    world.reconciler.onChange({ type: 'flushed' });
    await turns();
    expect(held()).toBe(1);
    expect(world.reconciler.guard.active).toEqual([VNI]);
    restore(1, 1);
    world.reconciler.onChange({ type: 'records', keys: [ipKey(1)] });
    await turns();
    expect(world.reconciler.guard.active).toEqual([]);
    expect(held()).toBe(1);
  });

  it('judges each VNI by itself', async () => {
    world.hold(device, 20);
    const other = world.device({
      ...device.link,
      ifindex: 9,
      name: 'other',
      vxlan: { ...device.link.vxlan, vni: 200 },
    });
    for (let n = 1; n <= 100; n++) world.endpoint(other, ip(n), mac(n), vtep(2));
    lose(1, 20);
    await world.gap();
    expect(world.reconciler.guard.active).toEqual([VNI]);
    expect(held()).toBe(20);
    expect(Object.keys(world.neighbours(other))).toHaveLength(100);
  });

  it('is judged as a whole, in any number of batches', async () => {
    world.hold(device, 1_000);
    lose(500, 1_000);
    await world.gap();
    expect(held()).toBe(1_000);
    lose(1, 499);
    restore(500, 1_000);
    await world.gap();
    expect(world.reconciler.guard.active).toEqual([]);
    expect(held()).toBe(501);
  });

  it('removes no entry whose record came back before all was read', async () => {
    world.hold(device, 1_000);
    lose(1, 100);
    world.directory.hold();
    await world.gap();
    world.directory.release(1);
    restore(1, 100);
    world.reconciler.onChange({ type: 'records', keys: Array.from({ length: 100 }, (_, n) => ipKey(n + 1)) });
    await turns();
    world.kernel.written.length = 0;
    world.directory.release();
    await turns(20);
    expect(held()).toBe(1_000);
    expect(world.kernel.written).toEqual([]);
  });

  it('that a later one overtakes removes nothing', async () => {
    world.hold(device, 600);
    lose(1, 200);
    world.directory.hold();
    await world.gap();
    restore(1, 200);
    await world.gap();
    world.directory.release();
    await turns(20);
    expect(held()).toBe(600);
  });

  it('without the guard removes all at once', async () => {
    world = new ReconcileWorld({ withdrawalGrace: 0 });
    device = world.device();
    world.hold(device, 20);
    lose(1, 20);
    await world.gap();
    expect(held()).toBe(0);
    expect(world.fdb(device)).toEqual({});
  });

  it('does not hold back single deletions, before it or during the grace', async () => {
    world.hold(device, 40);
    lose(1, 12);
    await world.changed(...Array.from({ length: 12 }, (_, n) => ipKey(n + 1)));
    expect(held()).toBe(28);
    lose(13, 32);
    await world.gap();
    expect(held()).toBe(28);
    lose(40, 40);
    await world.changed(ipKey(40));
    expect(held()).toBe(27);
  });
});

describe('the grace', () => {
  beforeEach(async () => {
    world.hold(device, 20);
    lose(1, 20);
    await world.gap();
  });

  it('ends with the removal of the entries', async () => {
    await world.pass(GRACE - 1);
    expect(held()).toBe(20);
    await world.pass(1);
    expect(held()).toBe(0);
    expect(world.fdb(device)).toEqual({});
    expect(world.reconciler.guard.active).toEqual([]);
  });

  it('is not extended by another full resync', async () => {
    await world.pass(200);
    await world.gap();
    await world.pass(GRACE - 200);
    expect(held()).toBe(0);
  });

  it('is not extended by a full resync after its end', async () => {
    world.directory.hold();
    await world.pass(GRACE);
    await world.gap();
    world.directory.release();
    await turns(20);
    expect(held()).toBe(0);
  });

  it('ends once: kept entries are read a last time, however long that takes', async () => {
    await world.pass(GRACE - 1);
    world.directory.hold();
    world.directory.reads.length = 0;
    await world.pass(5);
    world.directory.release();
    await turns(20);
    expect(held()).toBe(0);
    expect(world.lines.filter((line) => line.includes('is over'))).toHaveLength(1);
  });

  it('ends when the records come back one by one', async () => {
    restore(1, 19);
    await world.changed(...Array.from({ length: 19 }, (_, n) => ipKey(n + 1)));
    expect(world.reconciler.guard.active).toEqual([VNI]);
    restore(20, 20);
    await world.changed(ipKey(20));
    expect(world.reconciler.guard.active).toEqual([]);
    await world.pass(GRACE + 1);
    expect(held()).toBe(20);
  });

  it('ends when records come back without a notification', async () => {
    restore(1, 20);
    await world.gap();
    expect(world.reconciler.guard.active).toEqual([]);
    expect(held()).toBe(20);
  });

  it('ends with the removal of the entries whose records did not come back', async () => {
    restore(1, 5);
    await world.gap();
    await world.pass(GRACE);
    expect(held()).toBe(5);
  });

  it('ends for a removed device', () => {
    world.reconciler.forget(device);
    expect(world.reconciler.guard.active).toEqual([]);
  });

  it('is not shortened by checks of old answers', async () => {
    await world.pass(130);
    expect(held()).toBe(20);
  });

  it('waits for a directory that is down', async () => {
    world.reconciler.directory(false);
    await world.pass(GRACE + 100);
    expect(held()).toBe(20);
  });
});

describe('a kept entry that is removed or written again', () => {
  const lone = (from: number, to: number): void => {
    for (let n = from; n <= to; n++) {
      world.directory.set(VNI, 'mac', mac(n), vtep(2));
      const source = { kind: 'mac' as const, name: mac(n) };
      install([{ device, answer: { mac: mac(n), vtep: vtep(2), router: false, source } }], world.deps);
    }
  };
  const kept = (): number => world.reconciler.guard.kept().reduce((sum, { entries }) => sum + entries, 0);

  it('is not kept as an FDB entry when a neighbour needs the FDB entry', async () => {
    lone(1, 20);
    for (let n = 1; n <= 20; n++) world.directory.delete(VNI, 'mac', mac(n));
    await world.gap();
    expect(kept()).toBe(20);
    for (let n = 1; n <= 20; n++) world.endpoint(device, ip(n), mac(n), vtep(2));
    await world.pass(1);
    expect(world.reconciler.guard.active).toEqual([]);
    lose(1, 1);
    await world.changed(ipKey(1));
    expect(world.neighbours(device)).not.toHaveProperty([ip(1)]);
    expect(world.fdb(device)).not.toHaveProperty([mac(1)]);
    await world.pass(GRACE);
    expect(held()).toBe(19);
  });

  it('is no longer kept when all of it is evicted, also without a directory', async () => {
    world.hold(device, 20);
    lose(1, 20);
    await world.gap();
    withdrawNeighbours(
      device,
      Array.from({ length: 20 }, (_, n) => ip(n + 1)),
      world.deps.report,
    );
    world.reconciler.directory(false);
    await world.pass(1);
    expect(world.reconciler.guard.active).toEqual([]);
  });

  it('is removed with its record if it is written again, even before the next check', async () => {
    world.hold(device, 20);
    lose(1, 20);
    await world.gap();
    withdrawNeighbours(device, [ip(1)], world.deps.report);
    world.endpoint(device, ip(1), mac(1), vtep(2));
    lose(1, 1);
    await world.changed(ipKey(1));
    expect(held()).toBe(19);
    expect(world.neighbours(device)).not.toHaveProperty([ip(1)]);
  });

  it('keeps its FDB entry when only the neighbour becomes idle', async () => {
    world.hold(device, 20);
    lose(1, 20);
    await world.gap();
    world.time += 1_000;
    removeNeighbours(device, [ip(1)], world.deps.report);
    await world.pass(130);
    expect(kept()).toBe(20);
    expect(world.fdb(device)).toHaveProperty([mac(1)], vtep(2));
    await world.pass(GRACE - 131);
    expect(world.fdb(device)).toEqual({});
    expect(world.reconciler.guard.active).toEqual([]);
  });

  it('is no longer kept when it becomes idle with its FDB entry', async () => {
    world = new ReconcileWorld({ withdrawalGrace: 2 * IDLE });
    device = world.device();
    world.hold(device, 20);
    lose(1, 20);
    await world.gap();
    world.time += (IDLE + 1) * 1_000;
    await world.audit();
    await world.settled();
    expect(world.kernel.neighboursOf(VXLAN)).toEqual([]);
    await world.pass(1);
    expect(world.reconciler.guard.active).toEqual([]);
  });
});

describe('old answers', () => {
  it('without records in large numbers start a full resync', async () => {
    world.hold(device, 30);
    lose(1, 30);
    await world.pass(61);
    expect(held()).toBe(30);
    expect(world.reconciler.guard.active).toEqual([VNI]);
  });

  it('without a record are removed if they are few', async () => {
    world.hold(device, 30);
    lose(1, 3);
    await world.pass(61);
    expect(held()).toBe(27);
  });
});

it('the log names the number of kept entries and the grace', async () => {
  world.hold(device, 20);
  lose(1, 20);
  await world.gap();
  expect(world.lines.join('')).toContain('20 entries lost their records all at once; they stay for 300 s');
});

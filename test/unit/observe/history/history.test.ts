import type { Settled } from '../../../../src/model/question.ts';
import type { Outcome } from '../../../../src/base/outcomes.ts';
import { beforeEach, describe, expect, it } from 'vitest';
import { History } from '../../../../src/observe/history/history.ts';
import { Ring } from '../../../../src/observe/history/ring.ts';
import type { ServedDevice } from '../../../../src/model/device.ts';
import { World, ip, mac, vtep } from '../../fake/world.ts';

const VNI = 100;
let world: World;
let device: ServedDevice;
let history: History;

beforeEach(() => {
  world = new World();
  device = world.device();
  history = new History(world.now);
});

/** A question that ended; one that was resolved is told with its answer. */
function settled(address: string, outcome: Outcome, n = 1): Settled {
  const question = { device, address, receivedAt: world.time - 2 } as Settled['question'];
  const answer = {
    mac: mac(n),
    vtep: vtep(n),
    router: false,
    source: { kind: 'ip', name: address },
  } as const;
  return outcome === 'resolved' ? { question, outcome, answer } : { question, outcome };
}

describe('the history of an address', () => {
  it('has the events of the address in order, and no others', () => {
    history.settled([settled(ip(1), 'unknown'), settled(ip(2), 'resolved')]);
    world.time += 10;
    history.onChange({ type: 'records', keys: [{ vni: VNI, kind: 'ip', address: ip(1) }] });
    world.time += 10;
    history.settled([settled(ip(1), 'resolved', 7)]);
    world.time += 10;
    history.removed(device, [ip(1), ip(3)], 'idle');
    const events = history.of(VNI, ip(1));
    expect(events.map(({ kind }) => kind)).toEqual(['unknown', 'changed', 'resolved', 'removed']);
    expect(events[2]).toMatchObject({ at: world.time - 10, mac: mac(7), vtep: vtep(7), why: 'ip', took: 2 });
    expect(events[3]).toMatchObject({ why: 'idle' });
    expect(history.of(VNI + 1, ip(1))).toEqual([]);
  });

  it('of a MAC has the addresses that were answered with it', () => {
    history.settled([settled(ip(1), 'resolved', 7), settled(ip(2), 'resolved', 8)]);
    expect(history.of(VNI, mac(7)).map(({ address }) => address)).toEqual([ip(1)]);
    expect(history.of(VNI, ip(3), [mac(7)])).toEqual([]);
  });

  it('survives a flood of another kind, and tells since when events may have been dropped', () => {
    history.settled([settled(ip(1), 'resolved')]);
    expect(history.since).toBeUndefined();
    for (let n = 0; n < 5_000; n++) {
      world.time += 1;
      history.settled([settled(ip(2 + n), 'unknown')]);
    }
    expect(history.of(VNI, ip(1))).toHaveLength(1);
    expect(history.of(VNI, ip(2))).toHaveLength(0);
    expect(history.of(VNI, ip(5_001))).toHaveLength(1);
    expect(history.since).toBe(world.time - 1023);
  });

  it('finds conflicts and repairs by their address', () => {
    history.conflict(device, 'assigned_here', `${ip(1)} is ${mac(1)} behind ${vtep(1)} by the directory`);
    history.mended(device, 'restored_fdb', mac(1));
    expect(history.of(VNI, ip(1))[0]?.why).toMatch(/^assigned_here: /);
    expect(history.of(VNI, ip(2), [mac(1)])[0]?.why).toBe('restored_fdb');
  });
});

it('has repairs from the report, and removals from other parts of the daemon', () => {
  world = new World();
  device = world.device();
  world.endpoint(device, ip(1), mac(1), vtep(2));
  world.deps.report.removed(device, [ip(1)], 'max_entries');
  expect(world.history.of(VNI, ip(1))).toMatchObject([{ kind: 'evicted', why: 'max_entries' }]);
});

it('costs little per event', () => {
  const ring = new Ring(1024);
  const events = 1_000_000;
  const from = performance.now();
  for (let n = 0; n < events; n++) ring.add(n, VNI, 'a', 'b', 'c', 'ip', 1);
  // Aimed at 100 ns; a busy machine takes a multiple of anything.
  expect((performance.now() - from) / events).toBeLessThan(0.001);
});

import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { PortLane, type Question } from '../../../src/model/question.ts';
import type { ServedDevice } from '../../../src/model/device.ts';
import { install } from '../../../src/entries/install.ts';
import { UNKNOWN } from '../../../src/model/port-quotas.ts';
import { LOOKUP_RATE, VXLAN, ip, mac, vtep } from '../fake/world.ts';
import { ReconcileWorld } from './reconciling.ts';

const A = 11;
const B = 12;
/** Of which a port may have 16, and one more than needed goes. */
const MAX = 64;
const QUOTA = MAX / 4;

let world: ReconcileWorld;
let device: ServedDevice;
beforeEach(() => {
  world = new ReconcileWorld({ maxEntries: MAX });
  device = world.device();
});

/** A batch of misses of one port, answered as the pipeline does. */
function asks(port: number, numbers: readonly number[], lladdr = mac): void {
  world.time += 10;
  const asked = numbers.map((n) => {
    const answer = {
      mac: lladdr(n),
      vtep: vtep(2),
      router: false,
      source: { kind: 'ip' as const, name: ip(n) },
    };
    const askers = port === UNKNOWN ? [] : [{ port, lladdr: mac(0xff), ip: ip(0xff) }];
    const lane = new PortLane(port, LOOKUP_RATE, world.time);
    const receivedAt = world.time;
    const question: Question = {
      device,
      layer: 'l3',
      address: ip(n),
      askers,
      receivedAt,
      lane,
      waiting: false,
    };
    return { question, answer };
  });
  const placements = asked.map(({ question, answer }) => ({ device, ip: question.address, answer, port }));
  const outcomes = install(placements, world.deps);
  world.reconciler.settled(asked.map((one, index) => ({ ...one, outcome: outcomes[index] ?? 'failed' })));
}

const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, n) => from + n);
const has = (n: number): boolean => world.neighbours(device)[ip(n)] !== undefined;
const count = (): number => world.kernel.neighboursOf(VXLAN).length;

describe('a port at its quota', () => {
  it('loses its own oldest entries, neighbour and FDB entry, and other ports lose none', () => {
    asks(B, range(1, QUOTA));
    for (let n = 1000; n < 1100; n++) asks(A, [n]);
    expect(range(1, QUOTA).every(has)).toBe(true);
    expect(has(1099)).toBe(true);
    expect(has(1000)).toBe(false);
    expect(device.tables.quotas.of(A)?.size).toBeLessThanOrEqual(QUOTA);
    expect(
      world.kernel
        .fdbOf(VXLAN)
        .map(({ lladdr }) => lladdr)
        .sort(),
    ).toEqual(
      world.kernel
        .neighboursOf(VXLAN)
        .map(({ lladdr }) => lladdr)
        .sort(),
    );
    expect(world.counters.evictions).toEqual({ port_quota: 100 + QUOTA - count(), max_entries: 0 });
  });

  it('keeps a batch that was just written, even above the quota, until its packets are sent', () => {
    asks(A, range(1, QUOTA + 5));
    expect(count()).toBe(QUOTA + 5);
    world.reconciler.tick();
    expect(count()).toBeLessThanOrEqual(QUOTA);
    expect(has(QUOTA + 5)).toBe(true);
  });

  it('evicts in batches, not one by one', () => {
    asks(A, range(1, QUOTA));
    world.kernel.written.length = 0;
    asks(A, [1001]);
    expect(count()).toBe(QUOTA - 1);
    asks(A, [1002]);
    expect(count()).toBe(QUOTA);
  });

  it('keeps the FDB entry that another neighbour needs', () => {
    asks(B, [1], () => mac(1));
    asks(A, range(1000, QUOTA + 10), () => mac(1));
    world.reconciler.tick();
    expect(has(1000)).toBe(false);
    expect(has(1)).toBe(true);
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(2) });
  });

  it('skips entries with traffic', () => {
    asks(A, range(1, QUOTA));
    world.time += 10_000;
    world.kernel.use(VXLAN, mac(1));
    world.time += 1_000;
    asks(A, [1001]);
    expect(has(1)).toBe(true);
    expect(has(2)).toBe(false);
  });

  it('loses the oldest entries when all have traffic', () => {
    asks(A, range(1, QUOTA));
    world.time += 10_000;
    for (const n of range(1, QUOTA)) world.kernel.use(VXLAN, mac(n));
    asks(A, [1001]);
    expect(has(1)).toBe(false);
    expect(has(1001)).toBe(true);
  });

  it('renews an entry by asking again, and does not take an entry of another port', () => {
    asks(B, [1]);
    asks(A, [1, ...range(1000, QUOTA - 1)]);
    asks(A, [1000]);
    expect(device.tables.quotas.of(B)?.size).toBe(1);
    asks(A, [2000, 2001]);
    expect([has(1), has(1000), has(1001)]).toEqual([true, true, false]);
  });
});

describe('the maximum', () => {
  it('evicts from the port with the most entries', () => {
    for (const port of [A, 13, 14, 15]) asks(port, range(port * 100, QUOTA - (port === A ? 0 : 2)));
    asks(B, range(1, 6));
    expect(count()).toBeLessThanOrEqual(MAX + 6);
    asks(B, [7]);
    expect(range(1, 7).every(has)).toBe(true);
    expect(has(A * 100)).toBe(false);
    expect(world.counters.evictions.max_entries).toBeGreaterThan(0);
    expect(world.counters.evictions.port_quota).toBe(0);
  });

  it('counts FDB entries that no neighbour needs, and adopted ones, which have no quota of their own', async () => {
    for (const n of range(1, MAX + 8)) {
      world.directory.set(device.vni, 'mac', mac(n), vtep(2));
      world.kernel.putFdb({ ifindex: VXLAN, lladdr: mac(n), vtep: vtep(2), state: 2, flags: 0x12 });
    }
    await world.audit();
    expect(device.tables.lone.size).toBe(MAX + 8);
    world.reconciler.tick();
    expect(world.kernel.fdbOf(VXLAN).length).toBeLessThanOrEqual(MAX);
    expect(world.kernel.fdbOf(VXLAN).length).toBeGreaterThan(QUOTA);
  });
});

it('random misses: no port below its quota loses an entry, and no port holds more than quota and batch', () => {
  const batch = fc.record({
    port: fc.constantFrom(A, B, 13),
    from: fc.integer({ min: 1, max: 60 }),
    size: fc.integer({ min: 1, max: 12 }),
  });
  fc.assert(
    fc.property(fc.array(batch, { maxLength: 40 }), (batches) => {
      world = new ReconcileWorld({ maxEntries: MAX });
      device = world.device();
      const asked = new Map<number, Set<number>>();
      for (const { port, from, size } of batches) {
        const numbers = range(port * 1000 + from, size);
        asks(port, numbers);
        const mine = asked.get(port) ?? new Set();
        for (const n of numbers) mine.add(n);
        asked.set(port, mine);
        expect(numbers.every(has)).toBe(true);
        for (const [one, all] of asked) {
          expect(device.tables.quotas.of(one)?.size).toBeLessThanOrEqual(QUOTA + size);
          if (all.size <= QUOTA) expect([...all].every(has)).toBe(true);
        }
        const { quotas, neighbours, lone } = device.tables;
        expect(quotas.size).toBe(neighbours.size + lone.size);
        expect(count()).toBe(neighbours.size);
      }
    }),
  );
});

/** L2 misses name no sender. While there are too many, frames are read for their senders, and each port has its own lane. */
import { questionsOf } from '../../../src/model/device-questions.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { L2_KNOWN, L2_PORT } from '../../../src/model/port-lane.ts';
import type { Miss } from '../../../src/base/vocabulary.ts';
import { GUEST, VNI, ip, mac, turns, vtep } from '../fake/world.ts';
import { Asking, l2 } from './asking.ts';

const OTHER = GUEST + 1;
let world: Asking;
beforeEach(() => {
  world = new Asking();
});
afterEach(() => {
  expect(world.unaccounted()).toBe(0);
});

const from = (port: number, n: number): Miss => ({
  ...l2(n),
  asker: { port, lladdr: mac(0xf000 + (n & 255)), ip: '0.0.0.0' },
});
/** More MACs that nobody has than all ports together may ask for. */
const flood = async (miss: (n: number) => Miss, first = 0x1000): Promise<void> => {
  await world.miss(...Array.from({ length: 3_000 }, (_, n) => miss(first + n)));
};
const record = (n: number): void => {
  world.directory.set(VNI, 'mac', mac(n), vtep(2));
};

describe('while there are too many L2 misses for unknown MACs', () => {
  it('frames are read for their senders, only as long as needed', async () => {
    await world.miss(l2(1));
    expect(world.kernel.following).toBe(false);
    await flood(l2);
    await world.miss(l2(2));
    expect(world.kernel.following).toBe(true);
    world.time += 10_001;
    world.admission.tick();
    expect(world.kernel.following).toBe(false);
  });

  it('a port that sends them does not delay other ports', async () => {
    await flood((n) => from(GUEST, n));
    record(1);
    await world.miss(from(OTHER, 1));
    expect(world.fdb(world.served)).toEqual({ [mac(1)]: vtep(2) });
    expect(questionsOf(world.served).lanes.get(GUEST)?.waiting).toBeGreaterThan(1_000);
    expect(questionsOf(world.served).lanes.get(OTHER)?.waiting).toBe(0);
  });

  it('the second packet is answered if the sender of the first was unknown', async () => {
    await flood(l2);
    record(1);
    world.raise(l2(1));
    await turns();
    await world.miss(from(OTHER, 1));
    expect(world.fdb(world.served)).toEqual({ [mac(1)]: vtep(2) });
  });

  it('there is a reserve for MACs that are known to have had an address', async () => {
    await flood(l2);
    world.served.tables.remember(mac(1), ip(1));
    world.record(1);
    await world.miss(l2(1));
    expect(world.fdb(world.served)).toEqual({ [mac(1)]: vtep(2) });
    expect(questionsOf(world.served).lanes.get(L2_KNOWN)?.asked).toBe(1);
    expect(questionsOf(world.served).lanes.get(L2_PORT)?.waiting).toBeGreaterThan(1_000);
  });

  it('the port that sends them is reported, so that it can be throttled', async () => {
    const named = new Set<number>();
    world.admission.onExcess = (_, { port }) => void named.add(port);
    for (let second = 0; second < 30; second++) await flood((n) => from(GUEST, n), 0x1000 + second * 3_000);
    expect([...named]).toEqual([GUEST]);
  });

  it('the port that sends most of them is reported if most senders were not seen', async () => {
    const named = new Set<number>();
    world.admission.onExcess = (_, { port }) => void named.add(port);
    await flood((n) => from(GUEST, n));
    for (let second = 1; second < 15; second++) await flood(l2, 0x1000 + second * 3_000);
    expect([...named]).toEqual([GUEST]);
  });

  it('misses without a known sender are charged to the throttled port only', async () => {
    await flood(l2);
    await world.miss(l2(1));
    questionsOf(world.served).throttled = questionsOf(world.served).lanes.get(GUEST);
    await world.miss(from(GUEST, 2));
    questionsOf(world.served).throttled = questionsOf(world.served).lanes.get(GUEST);
    await world.miss(l2(3));
    expect(questionsOf(world.served).lanes.get(GUEST)?.asked).toBe(2);
  });
});

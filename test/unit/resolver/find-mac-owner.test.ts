import { type MockInstance, beforeEach, describe, expect, it, vi } from 'vitest';
import { NEGATIVE_LIFETIME, mac, vtep } from '../fake/world.ts';
import { Asking, l2 } from './asking.ts';

let world: Asking;
let usersOf: MockInstance<Asking['directory']['usersOf']>;
beforeEach(() => {
  world = new Asking();
  usersOf = vi.spyOn(world.directory, 'usersOf');
});
const searches = (): number => usersOf.mock.calls.length;

describe('a MAC without a mac: record and without a remembered address', () => {
  it('is found by the ip: record that names it', async () => {
    world.record(1, vtep(3));
    await world.miss(l2(1), l2(2));
    expect(world.fdb(world.served)).toEqual({ [mac(1)]: vtep(3) });
    expect([...world.outcomes].sort()).toEqual(['resolved', 'unknown']);
    expect(searches()).toBe(1);
  });

  it('is not searched for again if no record names it, and another MAC only after a pause', async () => {
    await world.miss(l2(1));
    await world.miss(l2(2));
    expect(searches()).toBe(1);
    world.time += Math.max(NEGATIVE_LIFETIME, 1_000) + 1;
    await world.miss(l2(1));
    expect(searches()).toBe(1);
    await world.miss(l2(3));
    expect(searches()).toBe(2);
    expect(world.outcomes).toEqual(['unknown', 'unknown', 'unknown', 'unknown']);
    expect(world.unaccounted()).toBe(0);
  });

  it('is unknown if the search fails, and searched for the next time', async () => {
    world.record(1, vtep(3));
    usersOf.mockRejectedValueOnce(new Error('away'));
    await world.miss(l2(1));
    expect(world.outcomes).toEqual(['unknown']);
    world.time += Math.max(NEGATIVE_LIFETIME, 1_000) + 1;
    await world.miss(l2(1));
    expect(world.fdb(world.served)).toEqual({ [mac(1)]: vtep(3) });
  });
});

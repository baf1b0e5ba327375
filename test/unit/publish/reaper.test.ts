import type { Subscription } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { HostLease } from '../../../src/publish/host-lease.ts';
import { Reaper } from '../../../src/publish/reaper.ts';
import { LENGTH, publishDeps } from './publishing.ts';

let deps: ReturnType<typeof publishDeps>;
let lease: HostLease;
const ends: Subscription[] = [];
const fail = (error: unknown): never => {
  throw error;
};
const pass = (milliseconds: number): Promise<unknown> => vi.advanceTimersByTimeAsync(milliseconds);
const reaps = (): string[] => deps.ownership.calls.filter((call) => /^(?:reap|prefix)/.test(call));

beforeEach(async () => {
  vi.useFakeTimers();
  deps = publishDeps();
  lease = deps.lease();
  ends.push(lease.work$().subscribe({ error: fail }));
  await pass(1);
  deps.ownership.states = [
    { id: 'a', incarnation: 'aa', lease: undefined },
    { id: 'b', incarnation: 'bb', lease: { incarnation: 'bb', vtep: '10.99.0.2' } },
    { id: 'c', incarnation: 'cc', lease: undefined },
  ];
  deps.ownership.left.set('c', 130);
});
afterEach(() => {
  for (const end of ends.splice(0)) end.unsubscribe();
  vi.useRealTimers();
});

const reaper = (): Reaper => new Reaper(lease, deps);

describe('a host without a lease', () => {
  it('is removed in pieces, never this host itself and none that has a lease', async () => {
    deps.settled.state(true);
    await pass(LENGTH);
    await reaper().reap();
    expect(reaps()).toEqual(['prefix c', 'reap c', 'reap c', 'reap c']);
    expect(deps.counters.publications.reaped).toBe(130);
  });

  it('is found by a poll within a lease', async () => {
    deps.settled.state(true);
    await pass(LENGTH);
    ends.push(reaper().work$().subscribe({ error: fail }));
    await pass(LENGTH - 10);
    expect(reaps()).toEqual([]);
    await pass(20);
    expect(reaps()).toHaveLength(4);
    deps.ownership.down = true;
    await pass(3 * LENGTH);
    deps.ownership.down = false;
    deps.ownership.left.set('c', 1);
    await pass(2 * LENGTH);
    expect(reaps().length).toBeGreaterThan(4);
  });
});

describe('nothing is removed', () => {
  it('before the directory has answered for as long as a lease', async () => {
    deps.settled.state(true);
    await pass(LENGTH - 100);
    await reaper().reap();
    expect(reaps()).toEqual([]);
  });

  it('while it does not answer, nor for a lease after it was lost, after a gap, or after the own lease lapsed', async () => {
    const again = [
      () => {
        deps.settled.state(false);
        deps.settled.state(true);
      },
      () => {
        deps.settled.gap();
      },
    ];
    deps.settled.state(true);
    for (const happens of again) {
      await pass(LENGTH);
      happens();
      await pass(LENGTH - 100);
      await reaper().reap();
      expect(reaps()).toEqual([]);
    }
    deps.settled.state(false);
    await pass(2 * LENGTH);
    await reaper().reap();
    expect(reaps()).toEqual([]);
  });

  it('before the server has been up for as long as a lease', async () => {
    deps.settled.state(true);
    await pass(LENGTH);
    deps.ownership.up = LENGTH - 1;
    await reaper().reap();
    expect(reaps()).toEqual([]);
    // Where it may not be asked, what this host has seen has to do.
    deps.ownership.up = undefined;
    await reaper().reap();
    expect(reaps()).toHaveLength(4);
  });

  it('without a lease of this host', async () => {
    deps.settled.state(true);
    await pass(LENGTH);
    deps.ownership.nextRenewal = 'displaced';
    lease.check();
    await pass(1);
    await reaper().reap();
    expect(reaps()).toEqual([]);
  });

  it('by an answer that came late', async () => {
    deps.settled.state(true);
    await pass(LENGTH);
    const hosts = deps.ownership.hosts.bind(deps.ownership);
    deps.ownership.hosts = async () => {
      await pass(300);
      return hosts();
    };
    await reaper().reap();
    expect(reaps()).toEqual([]);
  });

  it('after a gap between two pieces', async () => {
    deps.settled.state(true);
    await pass(LENGTH);
    deps.ownership.onReap = () => {
      deps.settled.gap();
    };
    await reaper().reap();
    expect(reaps()).toEqual(['prefix c', 'reap c']);
  });
});

import type { Subscription } from 'rxjs';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { HostIdentity } from '../../../src/directory/ownership.ts';
import type { HostLease } from '../../../src/publish/host-lease.ts';
import { LENGTH, publishDeps } from './publishing.ts';

let deps: ReturnType<typeof publishDeps>;
let lease: HostLease;
let held: (HostIdentity | undefined)[];
let unsettled: number;
const ends: Subscription[] = [];
const fail = (error: unknown): never => {
  throw error;
};

beforeEach(() => {
  vi.useFakeTimers();
  deps = publishDeps();
  unsettled = 0;
  lease = deps.lease({ unsettled: () => unsettled++ });
  held = [];
  ends.push(lease.held$.subscribe({ next: (host) => held.push(host), error: fail }));
  ends.push(lease.work$().subscribe({ error: fail }));
});
afterEach(() => {
  for (const end of ends.splice(0)) end.unsubscribe();
  vi.useRealTimers();
});

const pass = (milliseconds: number): Promise<unknown> => vi.advanceTimersByTimeAsync(milliseconds);
const renewals = () => deps.ownership.renewals;
const last = () => {
  const one = renewals().at(-1);
  if (one === undefined) throw new Error('no renewal');
  return one;
};

it('takes the lease at the start and renews it at a third of its length, each time with another counter', async () => {
  await pass(1);
  expect(renewals()).toMatchObject([{ counter: 1, take: true, host: { id: 'a', vtep: '10.99.0.1' } }]);
  expect(lease.held?.incarnation).toMatch(/^[0-9a-f]{12}$/);
  expect(lease.remaining).toBeGreaterThan(LENGTH - 10);
  await pass(LENGTH / 3 - 10);
  expect(renewals()).toHaveLength(1);
  await pass(20);
  expect(renewals().slice(1)).toMatchObject([{ counter: 2, take: false }]);
  // The same identity is not told twice.
  expect(held).toHaveLength(2);
});

it('takes a lapsed lease at once, with another incarnation', async () => {
  await pass(1);
  const before = lease.held?.incarnation;
  deps.ownership.nextRenewal = 'gone';
  lease.check();
  await pass(1);
  expect(last()).toMatchObject({ take: true });
  expect(lease.held?.incarnation).not.toBe(before);
  expect(held.map((host) => host?.incarnation)).toEqual([
    undefined,
    before,
    undefined,
    lease.held?.incarnation,
  ]);
  expect(deps.counters.leaseLosses).toMatchObject({ lapsed: 1 });
  expect(unsettled).toBe(1);
});

it('does not take a lease that another process has, says so once, and takes it when that has ended', async () => {
  await pass(1);
  deps.ownership.nextRenewal = 'displaced';
  await pass(LENGTH);
  expect(lease.held).toBeUndefined();
  expect(lease.loss).toBe('displaced');
  expect(
    renewals()
      .slice(1)
      .every(({ take }) => !take),
  ).toBe(true);
  expect(deps.counters.leaseLosses.displaced).toBe(1);
  expect(deps.lines.filter((line) => line.includes('another process'))).toHaveLength(1);
  deps.ownership.nextRenewal = 'gone';
  await pass(LENGTH / 3);
  expect(lease.held).toBeDefined();
  expect(lease.loss).toBeUndefined();
});

it('leaves the lease to a host with another VTEP', async () => {
  deps.ownership.nextRenewal = 'refused';
  await pass(LENGTH);
  expect(lease.held).toBeUndefined();
  expect(renewals().filter(({ take }) => take)).toHaveLength(1);
  expect(deps.lines.join()).toContain('10.99.0.9');
});

it('gives up the incarnation that a copy of this process uses', async () => {
  await pass(1);
  const before = lease.held?.incarnation;
  deps.ownership.nextRenewal = 'cloned';
  lease.check();
  await pass(1);
  deps.ownership.nextRenewal = 'displaced';
  await pass(LENGTH / 3);
  expect(last()).toMatchObject({ take: false });
  expect(last().host.incarnation).not.toBe(before);
});

it('asks a directory that does not answer twice a second, and is unsettled', async () => {
  await pass(1);
  deps.ownership.down = true;
  lease.check();
  await pass(2_001);
  expect(renewals()).toHaveLength(1 + 5);
  expect(new Set(renewals().map(({ counter }) => counter)).size).toBe(6);
  expect(unsettled).toBe(5);
  deps.ownership.down = false;
  await pass(501);
  expect(lease.remaining).toBeGreaterThan(LENGTH - 600);
});

it('takes its own lease over when its VTEP changes', async () => {
  await pass(1);
  const before = lease.held?.incarnation;
  lease.moveTo('10.99.0.1');
  await pass(1);
  expect(renewals()).toHaveLength(1);
  lease.moveTo('10.99.0.7');
  await pass(1);
  expect(last()).toMatchObject({ take: true, previous: before, host: { id: 'a', vtep: '10.99.0.7' } });
  expect(held.at(-1)).toMatchObject({ vtep: '10.99.0.7' });
  lease.check();
  await pass(1);
  expect(last()).toMatchObject({ take: false, previous: '' });
});

it('asks again when its VTEP changed during a renewal', async () => {
  await pass(1);
  const before = lease.held?.incarnation;
  const renew = deps.ownership.renew.bind(deps.ownership);
  deps.ownership.renew = (...words) => {
    deps.ownership.renew = renew;
    lease.moveTo('10.99.0.7');
    return renew(...words);
  };
  lease.check();
  await pass(10);
  const [first] = renewals().filter(({ host }) => host.vtep === '10.99.0.7');
  expect(first).toMatchObject({ take: true, previous: before });
  expect(held.at(-1)).toMatchObject({ vtep: '10.99.0.7' });
});

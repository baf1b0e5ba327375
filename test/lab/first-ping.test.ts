import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { guestIp4, guestIp6, macOf } from '../../src/lab/address.ts';
import { ipKey } from '../../src/lab/records.ts';
import { BEFORE_THE_RETRY, Pair, booksBalance, counting, median, close, tellOnFailure } from './harness.ts';

const hundred = Array.from({ length: 100 }, (_, index) => 101 + index);

describe.each([
  { family: 'IPv4', address: guestIp4, underlay: 'ipv4' },
  { family: 'IPv6', address: guestIp6, underlay: 'ipv4' },
  { family: 'IPv4 over an IPv6 underlay', address: guestIp4, underlay: 'ipv6' },
] as const)('the first ping, $family', ({ address, underlay }) => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await Pair.build({ underlay, also: hundred });
    await pair.publishGuests(pair.guest1, pair.guest2);
    await pair.publish(
      ...hundred.map((n) => [ipKey(100, address(n)), `${macOf(guestIp4(n))} ${pair.host2.vtep}`] as const),
    );
  });
  afterAll(() => close(pair));
  tellOnFailure(() => pair);

  test('between guests that never talked is answered before the guest asks again', async () => {
    expect(await pair.host1.segment.neighbours()).toEqual([]);
    expect(await pair.host1.segment.fdb()).toEqual([]);
    const { received, rtts } = await pair.guest1.ping(address(2));
    expect(received).toBe(1);
    expect(rtts[0]).toBeLessThan(BEFORE_THE_RETRY);
  });

  test('leaves the entries of the contract, on both hosts', async () => {
    for (const [host, guest] of [
      [pair.host1, pair.guest2],
      [pair.host2, pair.guest1],
    ] as const) {
      expect(await host.segment.neighbours()).toContainEqual(
        expect.objectContaining({
          ip: address(guest.n),
          lladdr: guest.mac,
          state: 'NOARP',
          externLearned: true,
          protocol: 77,
        }),
      );
      expect(await host.segment.fdb()).toContainEqual(
        expect.objectContaining({
          lladdr: guest.mac,
          vtep: guest.segment.host.vtep,
          externLearned: true,
        }),
      );
    }
  });

  test('for 100 addresses with 100 MACs in a row loses none and waits for none', async () => {
    const { done: pings, since } = await counting(pair.daemon, async () => {
      const all = [];
      for (const n of hundred) all.push(await pair.guest1.ping(address(n)));
      return all;
    });
    expect(pings.filter(({ received }) => received !== 1)).toEqual([]);
    const rtts = pings.flatMap((pinged) => pinged.rtts);
    expect(Math.max(...rtts)).toBeLessThan(BEFORE_THE_RETRY);
    // Ten times what a quiet machine takes.
    expect(median(rtts)).toBeLessThan(50);
    expect(since('missd_resolutions_total', { layer: 'l3', outcome: 'resolved' })).toBe(100);
    // One L3 answer writes both entries, so that the packet behind it finds its way without asking.
    expect(since('missd_misses_total', { layer: 'l2' })).toBe(0);
  });

  test('is asked once: the packets after it raise no miss', async () => {
    const { done, since } = await counting(pair.daemon, () =>
      pair.guest1.ping(address(2), { count: 20, interval: 0.01 }),
    );
    expect(done.received).toBe(20);
    expect(since('missd_resolutions_total', { outcome: 'resolved' })).toBe(0);
  });

  test('every miss is accounted for', async () => {
    for (const daemon of pair.daemons) await booksBalance(daemon);
  });
});

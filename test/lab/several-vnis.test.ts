import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Guest } from '../../src/lab/guest.ts';
import { BEFORE_THE_RETRY, Pair, close, tellOnFailure } from './harness.ts';

/** Two tenants with the same addresses on the same hosts, and devices of differing make. */
let pair: Pair;
let others: { from: Guest; to: Guest };
beforeAll(async () => {
  pair = await Pair.build({
    segments: [{}, { vni: 16_777_215, dstport: 8472, local: false, learning: true }],
  });
  const [segment1, segment2] = [pair.host1.segments[1], pair.host2.segments[1]];
  if (segment1 === undefined || segment2 === undefined) throw new Error('no second segment');
  const tenant = { dad: false, mac: '02:42:aa:00:00:01', ip4: '20.0.0.1/24', ip6: 'fd20::1/64' };
  others = {
    from: await segment1.addGuest({ ...tenant, n: 11 }),
    to: await segment2.addGuest({
      ...tenant,
      n: 12,
      mac: '02:42:aa:00:00:02',
      ip4: '20.0.0.2/24',
      ip6: 'fd20::2/64',
    }),
  };
  await pair.publishGuests(pair.guest1, pair.guest2, others.from, others.to);
});
afterAll(() => close(pair));
tellOnFailure(() => pair);

test.each(['20.0.0.2', 'fd20::2'])('%s is somebody else in each VNI', async (ip) => {
  for (const from of [pair.guest1, others.from]) {
    const { received, rtts } = await from.ping(ip);
    expect(received).toBe(1);
    expect(rtts[0]).toBeLessThan(BEFORE_THE_RETRY);
  }
  const lladdr = async (guest: Guest) =>
    (await guest.namespace.neighbours('eth0')).find((row) => row.ip === ip)?.lladdr;
  expect(await lladdr(pair.guest1)).toBe(pair.guest2.mac);
  expect(await lladdr(others.from)).toBe(others.to.mac);
});

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { until } from '../../src/lab/wait.ts';
import { macRecord } from '../../src/lab/records.ts';
import { Pair, booksBalance, counting, close, tellOnFailure } from './harness.ts';

let pair: Pair;
beforeAll(async () => {
  pair = await Pair.build();
  await pair.publishGuests(pair.guest1, pair.guest2);
});
afterAll(() => close(pair));
tellOnFailure(() => pair);

beforeEach(async () => {
  expect((await pair.guest1.ping('20.0.0.2')).received).toBe(1);
});

/** The neighbour stays, so that the guest's next packet is sent to a MAC that the device does not know. */
const forgetTheWay = (): Promise<void> =>
  pair.host1.namespace.bridge(['fdb', 'del', pair.guest2.mac, 'dev', 'vxlan100', 'self']);

const healed = () =>
  until(
    'a ping to be answered',
    async () => (await pair.guest1.ping('20.0.0.2', { timeout: 0.5 })).received === 1,
  );

test.each(['from the record of the address', 'from the mac record'])(
  'an L2 miss alone heals by being answered, %s',
  async (source) => {
    if (source.includes('mac record')) {
      await pair.publish(macRecord(pair.guest2));
      await pair.redis.cli('del', 'missd:{100}:ip:20.0.0.2', 'missd:{100}:ip:fd20::2');
      // The record is gone and its neighbour with it; the guest's own cache still knows the MAC.
      await until('the neighbour to be withdrawn', async () =>
        (await pair.host1.segment.neighbours()).every((row) => row.ip !== '20.0.0.2'),
      );
    }
    const { since } = await counting(pair.daemon, async () => {
      await forgetTheWay().catch(() => undefined);
      await healed();
    });
    expect(since('missd_misses_total', { layer: 'l2' })).toBeGreaterThanOrEqual(1);
    expect(since('missd_resolutions_total', { layer: 'l2', outcome: 'resolved' })).toBe(1);
    // Not by some later sweep, and not by the guest asking for the address once more.
    expect(since('missd_reconcile_changes_total')).toBe(0);
    expect(since('missd_resolutions_total', { layer: 'l3', outcome: 'resolved' })).toBe(0);
    expect(await pair.host1.segment.fdb()).toContainEqual(
      expect.objectContaining({ lladdr: pair.guest2.mac, vtep: pair.host2.vtep, externLearned: true }),
    );
  },
);

test('every miss is accounted for', () => booksBalance(pair.daemon));

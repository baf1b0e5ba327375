import { afterAll, beforeAll, expect, test } from 'vitest';
import { BEFORE_THE_RETRY, Pair, arpBurst, booksBalance, counting, close, tellOnFailure } from './harness.ts';

let pair: Pair;
beforeAll(async () => {
  pair = await Pair.build({ flags: ['--receive-buffer', '4096', '--lookup-rate', '1000000'] });
  await pair.publishGuests(pair.guest1, pair.guest2);
});
afterAll(() => close(pair));
tellOnFailure(() => pair);

test('misses lost for want of buffer are noticed, and the next one still resolves', async () => {
  const { since } = await counting(pair.daemon, () => arpBurst(pair.guest1, '20.1.0.0', 20_000));
  expect(since('missd_netlink_overruns_total')).toBeGreaterThan(0);
  // Else the buffer was not tiny, and this proves nothing.
  expect(since('missd_misses_total')).toBeLessThan(20_000);

  const { received, rtts } = await pair.guest1.ping('20.0.0.2');
  expect(received).toBe(1);
  expect(rtts[0]).toBeLessThan(BEFORE_THE_RETRY);
});

test('every miss that did arrive is accounted for', () => booksBalance(pair.daemon));

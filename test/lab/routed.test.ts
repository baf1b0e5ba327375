/** First-generation Flannel: each host routes the whole overlay through its VXLAN device, and leases name the hosts. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RoutedSegment } from '../../src/lab/routed-segment.ts';
import type { Host } from '../../src/lab/host.ts';
import { BEFORE_THE_RETRY, Pair, booksBalance, close, tellOnFailure } from './harness.ts';

const routed = ({ segment }: Host): RoutedSegment => {
  if (!(segment instanceof RoutedSegment)) throw new Error('not a routed segment');
  return segment;
};

describe.each(['ipv4', 'ipv6'] as const)('over %s', (underlay) => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await Pair.build({ underlay, segments: [{ topology: 'routed' }] });
    await pair.publishLeases(routed(pair.host1), routed(pair.host2));
  });
  afterAll(() => close(pair));
  tellOnFailure(() => pair);

  test.each(['10.20.2.2', 'fd20:0:0:2::2'])(
    'the first packet of a guest to %s waits in the kernel and arrives',
    async (ip) => {
      const { received, rtts } = await pair.guest1.ping(ip);
      expect(received).toBe(1);
      expect(rtts[0]).toBeLessThan(BEFORE_THE_RETRY);
      await booksBalance(pair.daemon);
    },
  );
});

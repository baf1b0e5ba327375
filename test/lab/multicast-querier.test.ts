import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../src/lab/wait.ts';
import { BEFORE_THE_RETRY, Pair, close, tellOnFailure } from './harness.ts';

/**
 * Once a bridge knows of an MLD querier it forwards solicitations only where somebody listens for their group, and
 * nobody does behind the VXLAN port: IPv6 misses vanish.
 */
let pair: Pair;
beforeAll(async () => {
  pair = await Pair.build({ noDaemons: true });
  // In hundredths of a second; a querier counts as present one response interval after it was switched on.
  // A query counts only once the bridge has an address to send it from, hence more than the first few.
  const often = ['mcast_startup_query_interval', 100, 'mcast_query_interval', 100];
  const soon = ['mcast_query_response_interval', 10, ...often];
  for (const { namespace } of [pair.host1, pair.host2]) {
    await namespace.ip(
      ['link', 'set', 'br0', 'type', 'bridge', 'mcast_snooping', 1, ...soon],
      ['link', 'set', 'br0', 'type', 'bridge', 'mcast_querier', 1],
    );
  }
  let n = 100;
  // An address nobody asked for before is asked for at once.
  await until('IPv6 misses to vanish', async () => !(await raisesMisses(`fd20::${++n}`, `20.0.0.${n}`)));
}, 30_000);
afterAll(() => close(pair));
tellOnFailure(() => pair);

/** Whether asking for an IPv6 address raises a miss: an IPv4 one asked for behind it marks the end of waiting. */
async function raisesMisses(ip6: string, ip4: string): Promise<boolean> {
  const { host1, guest1, lab } = pair;
  const monitor = await lab.start(host1.namespace.inside(['stdbuf', '-oL', 'ip', 'monitor', 'neigh']));
  const seen = (ip: string): boolean => monitor.lines.some((line) => line.startsWith(`miss ${ip} `));
  try {
    await until('the monitor to listen', async () => {
      // Any word from the kernel will do; this row is not asked for by anybody, and only a change is told of.
      await host1.namespace.ip(
        ['neigh', 'replace', '20.0.0.99', 'lladdr', guest1.mac, 'dev', 'vxlan100'],
        ['neigh', 'del', '20.0.0.99', 'dev', 'vxlan100'],
      );
      return monitor.lines.length > 0;
    });
    await guest1.ping(ip6, { timeout: 0.1 });
    await guest1.ping(ip4, { timeout: 0.1 });
    await until('the IPv4 miss', () => seen(ip4));
    return seen(ip6);
  } finally {
    await monitor.stop();
  }
}

test('IPv6 is resolved all the same', async () => {
  await Promise.all([pair.serve(pair.host1), pair.serve(pair.host2)]);
  await pair.publishGuests(pair.guest1, pair.guest2);
  const { received, rtts } = await pair.guest1.ping('fd20::2');
  expect(received).toBe(1);
  expect(rtts[0]).toBeLessThan(BEFORE_THE_RETRY);
});

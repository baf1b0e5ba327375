/** What cannot be served, or not as expected: a clear line for each, and the rest is served. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { subnetKey, subnetsKey } from '../../src/lab/records.ts';
import { until } from '../../src/lab/wait.ts';
import { Pair, close, tellOnFailure } from './harness.ts';

let pair: Pair;
/** Not every kernel is built with CONFIG_BRIDGE_VLAN_FILTERING. */
let filtersVlans = true;
beforeAll(async () => {
  pair = await Pair.build({ noDaemons: true });
  const misses = ['nolearning', 'proxy', 'l2miss', 'l3miss'];
  await pair.host1.namespace.ip(
    ['link', 'add', 'ext', 'type', 'vxlan', 'external', 'dstport', 4790, ...misses],
    ['link', 'add', 'vnis', 'type', 'vxlan', 'external', 'vnifilter', 'dstport', 4791, ...misses],
    ['link', 'add', 'second', 'type', 'vxlan', 'id', 302, 'dstport', 4789, ...misses],
    ['link', 'set', 'second', 'master', 'br0', 'up'],
    ['link', 'add', 'point', 'type', 'vxlan', 'id', 303, 'remote', '10.99.0.2', 'dstport', 4789, ...misses],
    ['link', 'add', 'twin', 'type', 'vxlan', 'id', 100, 'dstport', 4792, ...misses],
  );
  try {
    await pair.host1.namespace.ip(
      ['link', 'add', 'brv', 'type', 'bridge', 'vlan_filtering', 1],
      ['link', 'add', 'vlans', 'type', 'vxlan', 'id', 301, 'dstport', 4789, ...misses],
      ['link', 'set', 'vlans', 'master', 'brv', 'up'],
    );
  } catch {
    filtersVlans = false;
  }
  await pair.publishGuests(pair.guest1, pair.guest2);
  // The underlay's own addresses, by mistake.
  await pair.publish([subnetKey(100, '10.99.0.0/24'), '02:f0:00:00:00:02 10.99.0.2']);
  await pair.redis.cli('SADD', subnetsKey(100), '10.99.0.0/24');
  await Promise.all([pair.serve(pair.host1), pair.serve(pair.host2)]);
});
afterAll(() => close(pair));
tellOnFailure(() => pair);

/** Waits for a line in the log of host 1's daemon. */
const says = (words: RegExp): Promise<unknown> =>
  until(`a line like ${String(words)}`, () => pair.daemon.log.some((line) => words.test(line)));

test.each<[string, RegExp]>([
  ['an external device', /"level":50.*ext@.* is not served: .*external/],
  ['one with vnifilter', /"level":50.*vnis@.* is not served: .*vnifilter/],
  [
    'the second in a bridge',
    /"level":50.*second@.* is not served: its bridge br0 has another VXLAN device, vxlan100/,
  ],
])('%s is refused', async (_, words) => {
  await says(words);
});

test('one in a bridge that filters VLANs is refused; a kernel without such bridges has none', async () => {
  if (filtersVlans) await says(/"level":50.*vlans@.* is not served: its bridge brv filters VLANs/);
  else
    await expect(pair.host1.namespace.attempt(['ip', 'link', 'show', 'brv'])).resolves.not.toMatchObject({
      code: 0,
    });
});

test.each<[string, RegExp]>([
  ['a default remote turns misses off', /"level":40.*point@.* has a default remote \(10\.99\.0\.2\)/],
  [
    'two devices of one VNI share records',
    /"level":40.*(twin|vxlan100)@.* has VNI 100 as .*(twin|vxlan100)@/,
  ],
  [
    'a lease of another host covers this one',
    /"level":40.*lease_covers_host.*10\.99\.0\.0\/24 of 10\.99\.0\.2 covers 10\.99\.0\.1/,
  ],
])('%s: served, with a word', async (_, words) => {
  await says(words);
});

test('the rest is served', async () => {
  expect(await pair.daemon.metric('missd_devices')).toBe(3);
  expect((await pair.guest1.ping('20.0.0.2', { count: 3 })).received).toBe(3);
  expect((await pair.guest1.ping('fd20::2', { count: 3 })).received).toBe(3);
});

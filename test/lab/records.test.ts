import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../src/lab/command.ts';
import { MISSD } from '../../src/lab/daemon.ts';
import { ipKey } from '../../src/lab/records.ts';
import { Pair, ask, close, counting, tellOnFailure } from './harness.ts';

/** Each is the whole value of an `ip:` record; MAC is replaced by one that no other record has. */
const malformed = {
  'an empty value': '',
  'something else altogether': 'hello world',
  'no VTEP': 'MAC',
  'no MAC': '10.99.0.2',
  'a word too many': 'MAC 10.99.0.2 router yes',
  'a flag nobody defined': 'MAC 10.99.0.2 gateway',
  'two spaces': 'MAC  10.99.0.2',
  'a MAC in upper case': '02:42:14:00:00:AA 10.99.0.2',
  'a MAC with dashes': '02-42-14-00-00-aa 10.99.0.2',
  'a MAC too short': '02:42:14:00:00 10.99.0.2',
  'a multicast MAC': '01:00:5e:00:00:01 10.99.0.2',
  'the broadcast MAC': 'ff:ff:ff:ff:ff:ff 10.99.0.2',
  'the zero MAC': '00:00:00:00:00:00 10.99.0.2',
  'a VTEP that is no address': 'MAC host-2',
  'a VTEP with leading zeros': 'MAC 10.99.000.2',
  'the unspecified VTEP': 'MAC 0.0.0.0',
  'a loopback VTEP': 'MAC 127.0.0.1',
  'a multicast VTEP': 'MAC 239.1.1.1',
  'the broadcast VTEP': 'MAC 255.255.255.255',
  'an IPv6 VTEP on an IPv4 device': 'MAC fd99::2',
  'a megabyte': 'x'.repeat(1_000_000),
};
const cases = Object.entries(malformed).map(([what, value], index) => {
  const mac = `02:42:14:00:01:${(index + 16).toString(16)}`;
  return { what, ip: `20.0.0.${index + 20}`, mac, value: value.replace('MAC', mac) };
});
const GOOD = '20.0.0.2';

let pair: Pair;
beforeAll(async () => {
  pair = await Pair.build();
  await pair.publishGuests(pair.guest1, pair.guest2);
  await pair.publish(...cases.map(({ ip, value }) => [ipKey(100, ip), value] as const));
});
afterAll(() => close(pair));
tellOnFailure(() => pair);

describe('a record with', () => {
  test.each(cases)('$what is counted and not written', async ({ ip, mac }) => {
    const { since } = await counting(pair.daemon, () => ask(pair.daemon, pair.guest1, ip));
    expect(since('missd_directory_malformed_records_total')).toBe(1);
    // Treated as absent.
    expect(since('missd_resolutions_total', { layer: 'l3', outcome: 'unknown' })).toBe(1);
    expect(since('missd_entries', { table: 'neighbour' })).toBe(0);
    expect((await pair.host1.segment.neighbours()).map((row) => row.ip)).not.toContain(ip);
    expect((await pair.host1.segment.fdb()).map((row) => row.lladdr)).not.toContain(mac);
  });

  test('a key of another type fails alone', async () => {
    await pair.redis.cli('RPUSH', ipKey(100, '20.0.0.19'), '02:42:14:00:01:0f', '10.99.0.2');
    const { since } = await counting(pair.daemon, () => ask(pair.daemon, pair.guest1, '20.0.0.19'));
    expect(since('missd_resolutions_total', { outcome: 'resolved' })).toBe(0);
  });
});

test('all of them in one burst do no harm to the good one among them', async () => {
  // One that was not asked for any of it yet.
  await pair.daemon.stop();
  const daemon = await pair.serve(pair.host1);
  // 20.0.0.2 is good, the bad ones are behind it: one burst over all of them, one batch or a few.
  const { since } = await counting(daemon, () => ask(daemon, pair.guest1, GOOD, 20 + cases.length));
  expect(since('missd_directory_malformed_records_total')).toBeGreaterThanOrEqual(cases.length);
  expect(since('missd_resolutions_total', { layer: 'l3', outcome: 'resolved' })).toBe(1);
  expect((await pair.host1.segment.neighbours()).map((row) => row.ip)).toEqual([GOOD]);
  expect((await pair.host1.segment.fdb()).map((row) => row.lladdr)).toEqual([pair.guest2.mac]);
  expect((await pair.guest1.ping(GOOD)).received).toBe(1);
});

test('a VTEP outside of --vtep-allow is counted and not written, one inside is', async () => {
  await pair.daemon.stop();
  await run([process.execPath, MISSD, 'flush', '--netns', pair.host1.namespace.name]);
  const daemon = await pair.serve(pair.host1, ['--vtep-allow', '10.99.0.0/24']);
  await pair.publish([ipKey(100, '20.0.0.18'), '02:42:14:00:01:0e 10.98.0.2']);
  const { since } = await counting(daemon, async () => {
    await ask(daemon, pair.guest1, '20.0.0.18');
    await ask(daemon, pair.guest1, GOOD);
  });
  expect(since('missd_directory_malformed_records_total')).toBe(1);
  expect((await pair.host1.segment.neighbours()).map((row) => row.ip)).toEqual([GOOD]);
  expect((await pair.host1.segment.fdb()).map((row) => row.lladdr)).toEqual([pair.guest2.mac]);
});

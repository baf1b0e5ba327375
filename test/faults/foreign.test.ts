/** Others write to the same tables: what of ours they change is repaired, what is theirs stays. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { macOf } from '../../src/lab/address.ts';
import { ipKey } from '../../src/lab/records.ts';
import type { Words } from '../../src/lab/namespace.ts';
import { until } from '../../src/lab/wait.ts';
import { Pair, arpBurst, ask, booksBalance, close, counting, tellOnFailure } from '../lab/harness.ts';
import { becomesTrue } from './truth.ts';
import { rowsOf } from './tables.ts';

/** Seconds; what must be repaired within one audit gets as much again for a noisy machine. */
const AUDIT = 0.5;
const WITHIN = AUDIT * 1000 + 2_000;
const IP = '20.0.0.50';
const MAC = macOf(IP);
const HELD = ['20.0.0.2', IP];

let pair: Pair;
beforeAll(async () => {
  pair = await Pair.build({ flags: ['--audit', String(AUDIT)] });
  const { guest1, guest2 } = pair;
  await pair.publishGuests(guest1, guest2);
  await pair.publish([ipKey(100, IP), `${MAC} 10.99.0.5`]);
  expect((await guest1.ping('20.0.0.2')).received).toBe(1);
  await ask(pair.daemon, guest1, IP);
});
afterAll(() => close(pair));
tellOnFailure(() => pair);
afterEach(() => becomesTrue(pair.redis, pair.host1.segment, { held: HELD }));

const neigh = (...words: Words): Words => ['neigh', ...words];
const row = ['dev', 'vxlan100'] as const;

/** What somebody does, and the repair that is to be counted. */
const changes: [string, () => Promise<void>, string][] = [
  ['ip neigh del', () => ip(neigh('del', IP, ...row)), 'restored_neighbour'],
  ['bridge fdb del', () => fdb('del', MAC, ...row, 'self'), 'restored_fdb'],
  [
    'another VTEP in ours',
    () => fdb('replace', MAC, ...row, 'self', 'dst', '10.99.0.77', 'dynamic', 'extern_learn'),
    'repaired_fdb',
  ],
  [
    'ours without its marks',
    async () => {
      await fdb('del', MAC, ...row, 'self');
      await fdb('add', MAC, ...row, 'self', 'dst', '10.99.0.77', 'dynamic');
    },
    'repaired_fdb',
  ],
  [
    'another MAC in ours',
    () =>
      ip(
        neigh(
          'replace',
          IP,
          'lladdr',
          '02:00:00:00:00:99',
          ...row,
          'nud',
          'noarp',
          'extern_learn',
          'proto',
          77,
        ),
      ),
    'repaired_neighbour',
  ],
  ...['stale', 'reachable', 'probe', 'failed', 'delay'].map<[string, () => Promise<void>, string]>(
    (state) => [
      `ours made ${state}`,
      () => ip(neigh('replace', IP, 'lladdr', MAC, ...row, 'nud', state)),
      'repaired_neighbour',
    ],
  ),
];
const ip = (...commands: Words[]): Promise<void> => pair.host1.namespace.ip(...commands);
const fdb = (...words: Words): Promise<void> => pair.host1.namespace.bridge(['fdb', ...words]);
const repairs = (action: string): Promise<number> =>
  pair.daemon.metric('missd_reconcile_changes_total', { action });

test.each(changes)('%s: repaired within one audit, counted once', async (_what, change, action) => {
  const before = await repairs(action);
  await change();
  expect((await rowsOf(pair.host1.segment)).join()).not.toContain(
    `neighbour ${IP} ${MAC} NOARP extern_learn 77,fdb`,
  );
  await becomesTrue(pair.redis, pair.host1.segment, { held: HELD, within: WITHIN });
  await until('the repair to be counted', async () => (await repairs(action)) > before);
  expect(await repairs(action)).toBe(before + 1);
});

test('a permanent entry over ours is an operator’s override: it wins, is counted, and ours is back when it goes', async () => {
  const { host1, daemon, redis } = pair;
  const { since } = await counting(daemon, async () => {
    await fdb('replace', MAC, ...row, 'self', 'dst', '10.99.0.77', 'permanent');
    await ip(neigh('replace', IP, 'lladdr', '02:00:00:00:00:99', ...row, 'nud', 'permanent'));
    const before = await daemon.metric('missd_conflicts_total', { reason: 'overridden' });
    await until(
      'two audits',
      async () => (await daemon.metric('missd_conflicts_total', { reason: 'overridden' })) >= before + 4,
    );
  });
  expect(since('missd_reconcile_changes_total')).toBe(0);
  const overridden = (await rowsOf(host1.segment)).filter((one) => one.includes(IP) || one.includes(MAC));
  expect(overridden).toEqual([
    `fdb ${MAC} 10.99.0.77 permanent`,
    `neighbour ${IP} 02:00:00:00:00:99 PERMANENT 77`,
  ]);
  expect(daemon.log.some((line) => line.includes('overridden'))).toBe(true);
  // What the record says meanwhile counts when the override goes.
  await pair.publish([ipKey(100, IP), `${MAC} 10.99.0.6`]);
  await until(
    'the change to be seen',
    async () => (await daemon.metric('missd_conflicts_total', { reason: 'foreign_fdb' })) > 0,
  );
  expect((await rowsOf(host1.segment)).filter((one) => one.includes(IP) || one.includes(MAC))).toEqual(
    overridden,
  );
  await fdb('del', MAC, ...row, 'self');
  await ip(neigh('del', IP, ...row));
  await becomesTrue(redis, host1.segment, { held: HELD, within: WITHIN });
});

test('permanent entries that were there before us stay and are counted', async () => {
  const { daemon, guest1, host1, redis } = pair;
  const other = '20.0.0.60';
  await pair.publish([ipKey(100, other), `${macOf(other)} 10.99.0.5`]);
  await fdb('add', macOf(other), ...row, 'self', 'dst', '10.99.0.77', 'permanent');
  const { since } = await counting(daemon, async () => {
    // The kernel answers for a permanent neighbour and raises no miss: it has to come while the question is under way.
    redis.signal('SIGSTOP');
    await arpBurst(guest1, other);
    await until('the miss', async () => (await daemon.metric('missd_misses_in_flight')) === 1);
    await ip(neigh('add', other, 'lladdr', '02:00:00:00:00:98', ...row, 'nud', 'permanent'));
    redis.signal('SIGCONT');
    await booksBalance(daemon);
  });
  expect(since('missd_conflicts_total', { reason: 'foreign_neighbour' })).toBe(1);
  expect(since('missd_conflicts_total', { reason: 'foreign_fdb' })).toBe(1);
  expect(
    (await rowsOf(host1.segment)).filter((one) => !HELD.some((held) => one.includes(macOf(held)))),
  ).toEqual([`fdb ${macOf(other)} 10.99.0.77 permanent`, `neighbour ${other} 02:00:00:00:00:98 PERMANENT 0`]);
  await fdb('del', macOf(other), ...row, 'self');
  await ip(neigh('del', other, ...row));
});

describe('a neighbour in a state that neither answers nor asks', () => {
  const cases = [0, 77].flatMap((protocol) =>
    ['stale', 'probe', 'failed', 'incomplete'].map((state) => [state, protocol] as const),
  );
  test.each(cases)(
    '%s, protocol %i: found and removed, and the guest is answered',
    async (state, protocol) => {
      const { guest1, guest2, daemon, host1, redis } = pair;
      const removed = await repairs('removed_leftover');
      const lladdr = state === 'incomplete' || state === 'failed' ? [] : ['lladdr', guest2.mac];
      await ip(neigh('add', 'fd20::2', ...lladdr, ...row, 'nud', state, 'proto', protocol));
      await until('it to be found', async () => (await repairs('removed_leftover')) > removed, {
        timeout: WITHIN,
      });
      expect((await guest1.ping('fd20::2')).received).toBe(1);
      await becomesTrue(redis, host1.segment, { held: [...HELD, 'fd20::2'] });
      await redis.cli('DEL', ipKey(100, 'fd20::2'));
      await becomesTrue(redis, host1.segment, { held: HELD });
      await guest1.forgetNeighbours();
      await pair.publishGuests(guest2);
      expect(await daemon.metric('missd_write_failures_total')).toBe(0);
    },
  );
});

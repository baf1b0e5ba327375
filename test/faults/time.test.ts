/** Time passes without the daemon, or differently from what clocks say. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { macOf } from '../../src/lab/address.ts';
import { ipKey } from '../../src/lab/records.ts';
import { until } from '../../src/lab/wait.ts';
import { Pair, arpBurst, ask, counting, tellOnFailure } from '../lab/harness.ts';
import { limit, scaled } from './scale.ts';
import { Traffic } from './traffic.ts';
import { becomesTrue } from './truth.ts';

let pair: Pair | undefined;
tellOnFailure(() => pair);
afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

const elsewhere = (ip: string, vtep = '10.99.0.5') => [ipKey(100, ip), `${macOf(ip)} ${vtep}`] as const;

const STOPPED = scaled(60);
test(
  'the daemon is frozen for long: nothing is lost meanwhile, and everything converges when it goes on',
  async () => {
    pair = await Pair.build({ also: [3], noDaemons: true });
    const { lab, host1, host2, guest1, guest2, redis } = pair;
    // Idle for shorter than it is frozen: what is used meanwhile must not look unused.
    const daemon = await pair.serve(host1, ['--idle', String(STOPPED / 2000), '--audit', '1']);
    await pair.serve(host2);
    await pair.publishGuests(guest1, guest2);
    const others = [51, 52, 53, 54].map((n) => `20.0.0.${n}`);
    const [moved = '', deleted = '', kept = '', fresh = ''] = others;
    await pair.publish(
      elsewhere(moved),
      elsewhere(deleted),
      elsewhere(kept),
      elsewhere('20.0.0.3', host2.vtep),
    );
    const traffic = await Traffic.start(lab, guest1, '20.0.0.2');
    await ask(daemon, guest1, moved, 3);
    // Used, although nobody is there to answer.
    for (const to of [moved, kept]) await lab.start(guest1.namespace.inside(['ping', '-q', '-i', '0.2', to]));
    await becomesTrue(redis, host1.segment, { held: ['20.0.0.2', moved, deleted, kept] });

    daemon.program.signal('SIGSTOP');
    await pair.publish(elsewhere(moved, '10.99.0.6'), elsewhere(fresh));
    await redis.cli('DEL', ipKey(100, deleted));
    // Asked while nobody listens: the kernel keeps the question.
    await arpBurst(guest1, fresh);
    await sleep(STOPPED);
    await traffic.flows();
    daemon.program.signal('SIGCONT');
    const first = await guest1.ping('20.0.0.3');
    await until('the question of before to be answered', async () =>
      (await host1.segment.neighbours()).some((row) => row.ip === fresh),
    );
    await becomesTrue(redis, host1.segment, { held: ['20.0.0.2', '20.0.0.3', moved, kept, fresh] });
    expect((await daemon.get('/readyz'))?.status).toBe(200);
    const { sent, lost } = await traffic.stop();
    console.info(
      `frozen ${STOPPED / 1000} s; ${lost} of ${sent} packets lost; new pair ${first.rtts.join()} ms`,
    );
    expect(lost).toBe(0);
    expect(first.received).toBe(1);
  },
  limit(STOPPED),
);

test('the wall clock jumps an hour ahead and two back: lifetimes do not notice', async () => {
  pair = await Pair.build({ noDaemons: true });
  const { lab, host1, host2, guest1, guest2, redis } = pair;
  const clock = join(lab.directory, 'clock');
  const jump = (seconds: number): void => {
    writeFileSync(clock, `${seconds < 0 ? '' : '+'}${seconds}\n`);
  };
  jump(0);
  const env = {
    // Debian's libfaketime; ld.so knows the directory of the architecture.
    LD_PRELOAD: '/usr/$LIB/faketime/libfaketimeMT.so.1',
    FAKETIME_TIMESTAMP_FILE: clock,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    DONT_FAKE_MONOTONIC: '1',
  };
  const flags = ['--lifetime', '1', '--audit', '1', '--negative-lifetime', '600', '--idle', '1800'];
  const daemon = await (await pair.start(host1, flags, { env })).ready();
  await pair.serve(host2);
  await pair.publishGuests(guest1, guest2);
  await pair.publish(elsewhere('20.0.0.51'));
  const traffic = await Traffic.start(lab, guest1, '20.0.0.2');
  await ask(daemon, guest1, '20.0.0.51', 2);
  const held = ['20.0.0.2', '20.0.0.51'];
  await becomesTrue(redis, host1.segment, { held });

  for (const [index, offset] of [3600, -3600].entries()) {
    jump(offset);
    const { since } = await counting(daemon, async () => {
      // Two rounds of everything that has a lifetime.
      await sleep(2_500);
      await arpBurst(guest1, '20.0.0.52');
      await until(
        'the question to be ignored',
        async () => (await daemon.metric('missd_misses_ignored_total', { reason: 'negative' })) > index,
      );
    });
    expect(since('missd_reconcile_changes_total')).toBe(0);
    // Nobody has it still, by an answer that is minutes old at most.
    expect(since('missd_resolutions_total', { outcome: 'unknown' })).toBe(0);
    expect(await daemon.metric('missd_oldest_check_seconds')).toBeLessThan(10);
    expect((await daemon.get('/readyz'))?.status).toBe(200);
    await pair.publish(elsewhere('20.0.0.51', `10.99.0.${6 + index}`));
    await becomesTrue(redis, host1.segment, { held });
    // Else the clock did not jump, and this proves nothing.
    await host1.namespace.ip(['link', 'set', 'vxlan100', 'address', `02:f1:00:00:00:0${index + 1}`]);
    const ahead = await until('a line of the log', () =>
      stamps(daemon.log).find((ms) => ms * Math.sign(offset) > 3_000_000),
    );
    expect(Math.abs(ahead)).toBeGreaterThan(3_500_000);
    await becomesTrue(redis, host1.segment, { held });
  }
  // The MAC of the device is inside no packet of the guests.
  expect((await traffic.stop()).lost).toBeLessThan(20);
});

/** How far the log's own time is ahead of ours, ms. */
const stamps = (log: readonly string[]): number[] =>
  log.flatMap((line) =>
    line.startsWith('{') ? [(JSON.parse(line) as { time: number }).time - Date.now()] : [],
  );

const IDLE = scaled(60);
test(
  'idle for longer than every timer of the kernel: the first packet goes out at once, without a miss',
  async () => {
    pair = await Pair.build({ segments: [{ more: ['ageing', 1], bridge: ['ageing_time', 100] }] });
    const { daemon, host1, host2, guest1, guest2 } = pair;
    const timers = {
      base_reachable_time_ms: 200,
      retrans_time_ms: 100,
      gc_stale_time: 1,
      delay_first_probe_time: 1,
    };
    for (const host of [host1, host2])
      for (const family of ['ipv4', 'ipv6'])
        for (const [name, value] of Object.entries(timers))
          await host.namespace.sysctl({ [`net/${family}/neigh/vxlan100/${name}`]: value });
    await pair.publishGuests(guest1, guest2);
    for (const to of ['20.0.0.2', 'fd20::2']) expect((await guest1.ping(to)).received).toBe(1);
    await becomesTrue(pair.redis, host1.segment, { held: ['20.0.0.2', 'fd20::2'] });
    await sleep(IDLE);
    const { since } = await counting(daemon, async () => {
      for (const to of ['20.0.0.2', 'fd20::2']) {
        await guest1.forgetNeighbours();
        const { received, rtts } = await guest1.ping(to);
        expect(received).toBe(1);
        expect(rtts[0]).toBeLessThan(900);
      }
    });
    expect(since('missd_resolutions_total', { outcome: 'resolved' })).toBe(0);
    await becomesTrue(pair.redis, host1.segment, { held: ['20.0.0.2', 'fd20::2'] });
    await becomesTrue(pair.redis, host2.segment, { held: ['20.0.0.1', 'fd20::1'] });
  },
  limit(IDLE),
);

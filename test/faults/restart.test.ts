/** The daemon dies and comes back: established pairs notice nothing, and what changed meanwhile is put right. */
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { macOf } from '../../src/lab/address.ts';
import { ipKey, macKey } from '../../src/lab/records.ts';
import type { Lab } from '../../src/lab/lab.ts';
import { MISSD } from '../../src/lab/daemon.ts';
import { VERSION } from '../../src/base/version.ts';
import { Pair, ask, tellOnFailure } from '../lab/harness.ts';
import { limit, scaled } from './scale.ts';
import { Traffic } from './traffic.ts';
import { becomesTrue } from './truth.ts';

let pair: Pair | undefined;
tellOnFailure(() => pair);
afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

const DOWN = scaled(90);

test(
  'kill -9 and a long absence: no packet of an established pair is lost, and new pairs work at once after the restart',
  async () => {
    pair = await Pair.build({ also: [3] });
    const { lab, host1, host2, guest1, guest2 } = pair;
    await pair.publishGuests(guest1, guest2);
    await pair.publish([ipKey(100, '20.0.0.3'), `${macOf('20.0.0.3')} ${host2.vtep}`]);
    const traffic = [
      await Traffic.start(lab, guest1, '20.0.0.2'),
      await Traffic.start(lab, guest1, 'fd20::2'),
      await Traffic.start(lab, guest2, '20.0.0.1'),
    ];
    await Promise.all(pair.daemons.map((daemon) => daemon.kill()));
    await sleep(DOWN);
    await Promise.all(traffic.map((one) => one.flows()));
    await Promise.all([pair.serve(host1), pair.serve(host2)]);
    const first = await guest1.ping('20.0.0.3');
    await Promise.all(traffic.map((one) => one.flows()));
    const counted = await Promise.all(traffic.map((one) => one.stop()));
    console.info(
      `down ${DOWN / 1000} s; sent and lost: ${JSON.stringify(counted)}; new pair ${first.rtts.join()} ms`,
    );
    for (const { sent, lost } of counted) {
      expect(sent).toBeGreaterThan(DOWN / 20);
      expect(lost).toBe(0);
    }
    expect(first.received).toBe(1);
    expect(first.rtts[0]).toBeLessThan(900);
    await becomesTrue(pair.redis, host1.segment, { held: ['20.0.0.2', '20.0.0.3', 'fd20::2'] });
    await becomesTrue(pair.redis, host2.segment, { held: ['20.0.0.1', 'fd20::1'] });
  },
  limit(DOWN),
);

/** Addresses of no guest behind host 2, and what becomes of their records while nobody looks. */
const block = (from: number, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `20.0.1.${from + index}`);
const KEPT = block(1, 20);
const DELETED = block(21, 20);
const MOVED = block(41, 20);
const CHANGED = block(61, 5);
const MOVED_BY_MAC = block(71, 5);
const COME_HOME = block(81, 5);

test.each([
  ['few of them', 5],
  // More than half of all that was held: at start only a VNI without any record may look like a mass withdrawal.
  ['most of them', 20],
])(
  'records deleted and moved while the daemon was down, %s: true before it says ready',
  async (_what, kept) => {
    pair = await Pair.build();
    const { host1, host2, guest1, redis } = pair;
    const deleted = kept === 5 ? DELETED.slice(0, 3) : DELETED;
    const all = [...KEPT.slice(0, kept), ...deleted, ...MOVED, ...CHANGED, ...MOVED_BY_MAC, ...COME_HOME];
    await pair.publishGuests(guest1);
    await pair.publish(...all.map((ip) => [ipKey(100, ip), `${macOf(ip)} ${host2.vtep}`] as const));
    await ask(pair.daemon, guest1, '20.0.1.1', 85);
    await becomesTrue(redis, host1.segment, { held: all });

    await pair.daemon.kill();
    await redis.cli('DEL', ...deleted.map((ip) => ipKey(100, ip)));
    await pair.publish(
      ...MOVED.map((ip) => [ipKey(100, ip), `${macOf(ip)} 10.99.0.7`] as const),
      ...CHANGED.map((ip) => [ipKey(100, ip), `02:00:${macOf(ip).slice(6)} ${host2.vtep}`] as const),
      ...MOVED_BY_MAC.map((ip) => [macKey(100, macOf(ip)), '10.99.0.8'] as const),
      ...COME_HOME.map((ip) => [ipKey(100, ip), `${macOf(ip)} ${host1.vtep}`] as const),
    );
    await pair.serve(host1);
    // The very first look after /readyz must find it right.
    await becomesTrue(redis, host1.segment, { held: all, within: 0 });
  },
);

test('entries of the next version are adopted as they are, and ours by the next version', async () => {
  pair = await Pair.build();
  const { lab, host1, guest1, guest2, redis } = pair;
  await pair.publishGuests(guest1, guest2);
  expect((await guest1.ping('20.0.0.2')).received).toBe(1);
  expect((await guest1.ping('fd20::2')).received).toBe(1);
  const held = ['20.0.0.2', 'fd20::2'];
  await becomesTrue(redis, host1.segment, { held });
  const next = nextVersion(lab);
  const traffic = await Traffic.start(lab, guest1, '20.0.0.2');
  for (const main of [next, MISSD]) {
    await pair.daemon.stop();
    const daemon = await (await pair.start(host1, [], { main })).ready();
    expect((await daemon.get('/status'))?.body).toContain(main === next ? NEXT : VERSION);
    expect(daemon.log.some((line) => line.includes('adopted 2 neighbours, 1 FDB entries'))).toBe(true);
    expect(await daemon.metric('missd_reconcile_changes_total')).toBe(0);
    await becomesTrue(redis, host1.segment, { held });
  }
  expect((await traffic.stop()).lost).toBe(0);
});

const NEXT = '999.0.0';

/** The same program with another version in its manifest. */
function nextVersion(lab: Lab): string {
  const root = new URL('../..', import.meta.url).pathname;
  const copy = join(lab.directory, 'next');
  cpSync(join(root, 'dist'), join(copy, 'dist'), { recursive: true });
  for (const name of ['addon', 'node_modules']) symlinkSync(join(root, name), join(copy, name));
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as object;
  writeFileSync(join(copy, 'package.json'), JSON.stringify({ ...manifest, version: NEXT }));
  return join(copy, 'dist', 'main.js');
}

/**
 * A real FRR 10.3 with `advertise-all-vni` and missd in one namespace, on both of two hosts: zebra takes missd's device for
 * its own and writes rows with missd's marks, also over missd's. Each keeps its own.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Host } from '../../src/lab/host.ts';
import { ipKey } from '../../src/lab/records.ts';
import { MISSD } from '../../src/lab/daemon.ts';
import { run } from '../../src/lab/command.ts';
import { until } from '../../src/lab/wait.ts';
import { Traffic } from '../faults/traffic.ts';
import { Frr, frrRoot } from './frr.ts';
import { Pair, close, tellOnFailure } from './harness.ts';

/** A MAC on host 2 that only zebra knows of. */
const ZEBRAS = '02:aa:00:00:00:01';
const AUDIT = 0.5;

let pair: Pair;
let root: string;
let frr: Frr;
/** A first call fetches Debian. */
beforeAll(async () => {
  root = await frrRoot();
  pair = await Pair.build({ flags: ['--audit', String(AUDIT)], also: [5] });
  const { host1, host2, guest1, guest2, lab } = pair;
  await pair.publishGuests(guest1, guest2);
  await host2.namespace.bridge(['fdb', 'add', ZEBRAS, 'dev', guest2.port, 'master', 'static']);
  expect((await guest1.ping('20.0.0.2')).received).toBe(1);
  await Frr.start(lab, root, join(lab.directory, 'frr2'), host2, host1);
  await startFrr();
}, 1_600_000);
afterAll(() => close(pair));
tellOnFailure(() => pair);

async function startFrr(): Promise<void> {
  const { lab, host1, host2, guest1, guest2 } = pair;
  frr = await Frr.start(lab, root, join(lab.directory, 'frr1'), host1, host2);
  await until(
    'zebra to write its rows, also over missd’s',
    async () =>
      (await has(ZEBRAS)) &&
      (await signed()).includes(guest2.mac) &&
      (await signed(host2)).includes(guest1.mac),
    { timeout: 60_000 },
  );
}

const rows = () => pair.host1.segment.fdb();
const has = async (mac: string): Promise<boolean> => (await rows()).some(({ lladdr }) => lladdr === mac);
/** MACs that zebra has written into the bridge. */
const signed = async ({ namespace, segment }: Host = pair.host1): Promise<string[]> => {
  const all = await namespace.fdb(segment.device);
  return all.filter(({ self, externLearned }) => !self && externLearned).map(({ lladdr }) => lladdr);
};
const flush = (...more: string[]): Promise<string> =>
  run([process.execPath, MISSD, 'flush', ...pair.host1.served.flatMap((name) => ['--netns', name]), ...more]);

/** How often a daemon had to write an FDB row again that was gone: it was absent for a moment. */
const restorations = async (index: number): Promise<number> =>
  (await pair.daemons[index]?.metric('missd_reconcile_changes_total', { action: 'restored_fdb' })) ?? NaN;

/** A pair loses none of its packets, of one every 10 ms, while something is done. */
async function losingNothing(act: () => Promise<void>): Promise<void> {
  const traffic = await Traffic.start(pair.lab, pair.guest1, '20.0.0.2');
  await act();
  await traffic.flows();
  expect((await traffic.stop()).missing).toEqual([]);
}

test('its default row, which turns L2 misses off, is said in the log, in /status and by a metric within an audit', async () => {
  const { daemon } = pair;
  await until(
    'the metric',
    async () =>
      (await daemon.metric('missd_device_default_remote', {
        device: 'vxlan100@' + (pair.host1.served[0] ?? ''),
      })) === 1,
  );
  expect(daemon.log.some((line) => line.includes('default_remote') && line.includes('10.99.0.2'))).toBe(true);
  expect((await daemon.get('/status'))?.body).toContain('"defaultRemote": "10.99.0.2"');
});

test('flush takes missd’s own, through the daemon, and leaves zebra’s', async () => {
  await losingNothing(async () => {
    expect(await flush()).toMatch(/FDB entries of other owners stay/);
    expect(await has(ZEBRAS)).toBe(true);
    expect((await pair.host1.segment.neighbours()).filter(({ protocol }) => protocol === 77)).toEqual([]);
  });
  expect(await has(ZEBRAS)).toBe(true);
});

test('a missd that is killed and started again leaves zebra’s and keeps its own', async () => {
  const { host1, guest1, guest2 } = pair;
  await guest1.forgetNeighbours();
  expect((await guest1.ping('20.0.0.2')).received).toBe(1);
  await losingNothing(async () => {
    await pair.daemon.kill();
    await pair.serve(host1, ['--audit', String(AUDIT)]);
    await until('an audit', async () => (await pair.daemon.metric('missd_foreign_entries')) > 0);
  });
  expect(await has(ZEBRAS)).toBe(true);
  expect(await has(guest2.mac)).toBe(true);
  // What its record does not want any more is still zebra's.
  await pair.redis.cli('DEL', ipKey(100, '20.0.0.2'));
  await until('the neighbour to go', async () =>
    (await host1.segment.neighbours()).every(({ ip }) => ip !== '20.0.0.2'),
  );
  expect(await has(guest2.mac)).toBe(true);
  await pair.publishGuests(guest2);
});

test('a zebra that is killed leaves missd’s, and takes its own over again', async () => {
  const { host2, guest1, guest2 } = pair;
  await guest1.forgetNeighbours();
  expect((await guest1.ping('20.0.0.2')).received).toBe(1);
  // The other host's zebra deletes its twin of missd's row when its peer is gone, and the row has to stay.
  const restored = await restorations(1);
  await losingNothing(async () => {
    await frr.stop('SIGKILL');
    // The rows of a zebra that was killed stay. That its successor has taken over shows on the other host.
    await until(
      'the other zebra to delete its rows',
      async () => !(await signed(host2)).includes(guest1.mac),
    );
    expect(await has(guest2.mac)).toBe(true);
    await startFrr();
  });
  expect(await restorations(1)).toBe(restored);
  const held = await pair.host1.segment.neighbours();
  expect(held.filter(({ protocol }) => protocol === 77).map(({ ip }) => ip)).toContain('20.0.0.2');
});

test('a zebra that stops deletes its twin of missd’s row, and the row stays, without an audit', async () => {
  const { guest2, host1 } = pair;
  await pair.daemon.stop();
  await pair.serve(host1, ['--audit', '3600']);
  await losingNothing(async () => {
    await frr.stop('SIGTERM');
    await until('zebra’s rows to be gone', async () => !(await has(ZEBRAS)));
  });
  expect(await has(guest2.mac)).toBe(true);
  expect(await restorations(0)).toBe(0);
});

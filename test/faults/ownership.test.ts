/** Whose an FDB entry is, on the real kernel: what missd wrote is its own also after a SIGKILL, and what looks the same is not. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { macOf } from '../../src/lab/address.ts';
import { run } from '../../src/lab/command.ts';
import { MISSD } from '../../src/lab/daemon.ts';
import { ipKey } from '../../src/lab/records.ts';
import { until } from '../../src/lab/wait.ts';
import { Pair, ask, close, tellOnFailure } from '../lab/harness.ts';

const IP = '20.0.0.50';
const MAC = macOf(IP);
/** Of somebody else, with the marks of ours. */
const FOREIGN = '02:aa:00:00:00:01';

let pair: Pair;
let folder: string;
beforeAll(async () => {
  pair = await Pair.build({ noDaemons: true });
  folder = join(pair.lab.directory, 'state');
  await pair.publishGuests(pair.guest1, pair.guest2);
  await serve();
  await put(FOREIGN, '10.99.0.77');
});
afterAll(() => close(pair));
tellOnFailure(() => pair);

const serve = (...more: string[]) =>
  pair.serve(pair.host1, ['--audit', '0.5', '--state-dir', folder, ...more]);
const put = (mac: string, vtep: string): Promise<void> =>
  pair.host1.namespace.bridge([
    ...['fdb', 'add', mac, 'dev', 'vxlan100', 'self', 'dst', vtep],
    ...['dynamic', 'extern_learn'],
  ]);
const behind = async (mac: string): Promise<string | undefined> =>
  (await pair.host1.segment.fdb()).find(({ lladdr }) => lladdr === mac)?.vtep;
const flush = (...more: string[]): Promise<string> => {
  const netns = pair.host1.served.flatMap((name) => ['--netns', name]);
  return run([process.execPath, MISSD, 'flush', '--state-dir', folder, ...netns, ...more]);
};

/** Entries for an address, and nothing but the journal to say whose the FDB entry is. */
async function writeLone(): Promise<void> {
  await pair.publish([ipKey(100, IP), `${MAC} 10.99.0.5`]);
  // Where the neighbour stands the kernel answers, and raises no miss.
  if ((await behind(MAC)) === undefined) await ask(pair.daemon, pair.guest1, IP);
  await pair.daemon.kill();
  await pair.host1.namespace.ip(['neigh', 'del', IP, 'dev', 'vxlan100']);
  await pair.redis.cli('DEL', ipKey(100, IP));
}

test('after a SIGKILL an entry without a record goes, and somebody’s that looks the same stays', async () => {
  await writeLone();
  expect(await behind(MAC)).toBe('10.99.0.5');
  await serve();
  await until('ours to go', async () => (await behind(MAC)) === undefined);
  await until('theirs to be counted', async () => (await pair.daemon.metric('missd_foreign_entries')) === 1);
  expect(await behind(FOREIGN)).toBe('10.99.0.77');
  expect(pair.daemon.log.some((line) => line.includes('another owner') && line.includes(FOREIGN))).toBe(true);
});

test('flush goes through the daemon, which does not write again what it held', async () => {
  await pair.publish([ipKey(100, IP), `${MAC} 10.99.0.5`]);
  await ask(pair.daemon, pair.guest1, IP);
  expect(await flush()).toMatch(/[1-9]\d* FDB entries removed; 1 FDB entries of other owners stay/);
  expect([await behind(MAC), await behind(FOREIGN)]).toEqual([undefined, '10.99.0.77']);
  const audited = await pair.daemon.metric('missd_reconcile_changes_total', { action: 'restored_fdb' });
  await ask(pair.daemon, pair.guest1, IP);
  expect(await behind(MAC)).toBe('10.99.0.5');
  expect(await pair.daemon.metric('missd_reconcile_changes_total', { action: 'restored_fdb' })).toBe(audited);
});

test('flush leaves a device that missd would not serve, and without a daemon knows what is ours', async () => {
  await writeLone();
  const { namespace } = pair.host1;
  await namespace.ip(
    ['link', 'add', 'theirs', 'type', 'vxlan', 'id', '900', 'dstport', '4790', 'local', pair.host1.vtep],
    ['link', 'set', 'theirs', 'up'],
    [
      'neigh',
      'add',
      '1.2.3.4',
      'lladdr',
      MAC,
      'dev',
      'theirs',
      'nud',
      'noarp',
      'extern_learn',
      'proto',
      '77',
    ],
  );
  await namespace.bridge([
    ...['fdb', 'add', MAC, 'dev', 'theirs', 'self', 'dst', '10.99.0.5'],
    ...['dynamic', 'extern_learn'],
  ]);
  expect(await flush()).not.toContain('theirs');
  expect((await namespace.fdb('theirs')).some(({ lladdr }) => lladdr === MAC)).toBe(true);
  expect([await behind(MAC), await behind(FOREIGN)]).toEqual([undefined, '10.99.0.77']);
  await namespace.ip(['link', 'del', 'theirs']);
});

test('a device made again has nothing of what the journal says', async () => {
  await serve();
  await writeLone();
  const { namespace, vtep } = pair.host1;
  const [before] = await namespace.show('link', 'show', 'vxlan100');
  const index = String(before?.['ifindex']);
  await namespace.ip(
    ['link', 'del', 'vxlan100'],
    [
      ...['link', 'add', 'vxlan100', 'index', index, 'type', 'vxlan', 'id', '100', 'dstport', '4789'],
      ...['local', vtep, 'nolearning', 'proxy', 'l2miss', 'l3miss'],
    ],
    ['link', 'set', 'vxlan100', 'master', 'br0', 'up'],
  );
  await put(MAC, '10.99.0.5');
  await serve();
  await until('it to be counted', async () => (await pair.daemon.metric('missd_foreign_entries')) === 1);
  expect(await behind(MAC)).toBe('10.99.0.5');
});

test('of a release that kept no journal, what contradicts its record is replaced', async () => {
  await pair.daemon.kill();
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
  await pair.publish([ipKey(100, IP), `${MAC} 10.99.0.6`]);
  await serve();
  await until('it to be replaced', async () => (await behind(MAC)) === '10.99.0.6');
});

test('flush --all-extern-learn is an operator’s hand', async () => {
  if ((await behind(FOREIGN)) === undefined) await put(FOREIGN, '10.99.0.77');
  await flush('--device', 'vxlan100', '--all-extern-learn');
  expect(await behind(FOREIGN)).toBeUndefined();
});

test('a full disk under the journal is counted, and answers go on', async () => {
  await pair.daemon.kill();
  const small = join(pair.lab.directory, 'small');
  mkdirSync(small);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4k', 'tmpfs', small]);
  try {
    await serve('--state-dir', small);
    const many = Array.from({ length: 200 }, (_, n) => `20.0.1.${n}`);
    await pair.publish(...many.map((ip) => [ipKey(100, ip), `${macOf(ip)} 10.99.0.5`] as const));
    await ask(pair.daemon, pair.guest1, '20.0.1.0', 200);
    expect(await pair.daemon.metric('missd_journal_failures_total', { reason: 'write' })).toBeGreaterThan(0);
    expect(await behind(macOf('20.0.1.199'))).toBe('10.99.0.5');
  } finally {
    await pair.daemon.kill();
    execFileSync('umount', [small]);
  }
});

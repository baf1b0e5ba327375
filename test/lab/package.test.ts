/** What is published works where there is no compiler, and with no more rights than its service has. */
import { chmodSync, chownSync, mkdirSync, existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { attempt, run } from '../../src/lab/command.ts';
import { RedisServer } from '../../src/lab/redis-server.ts';
import { renderUnit } from '../../src/service/unit.ts';
import { VERSION } from '../../src/base/version.ts';
import { BEFORE_THE_RETRY, Pair, tellOnFailure } from './harness.ts';
import { InstalledPackage } from './package.ts';
import { ServiceManager } from './service-manager.ts';

let installed: InstalledPackage | undefined;
let pair: Pair | undefined;
tellOnFailure(() => pair);

beforeAll(async () => {
  installed = await InstalledPackage.make();
}, 150_000);
afterEach(async () => {
  await pair?.close();
  pair = undefined;
});
afterAll(() => {
  installed?.remove();
});

function there(): InstalledPackage {
  if (installed === undefined) throw new Error('not packed');
  return installed;
}

test('it installs and runs where Node is the only program', async () => {
  const { path, node, root, main } = there();
  const bare = ['env', '-i', `PATH=${path}`];
  await run([...bare, node, join(root, 'addon', 'build.mjs')]);
  expect(existsSync(join(root, 'addon', 'build'))).toBe(false);
  expect(readdirSync(join(root, 'addon', 'prebuilds'))).toEqual([`linux-${process.arch}`]);
  expect(await run([...bare, node, main, '--version'])).toBe(`${VERSION}\n`);
  expect(await run([...bare, node, main, 'run', '--help'])).toContain('--redis');
});

test('where its binary is of no use and there is no compiler, it says what it needs', async () => {
  const { path, node, root } = there();
  const script = join(root, 'addon', 'build.mjs');
  const { code, stderr } = await attempt(['env', '-i', `PATH=${path}`, 'LIBC=musl', node, script]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^missd: the native addon was not built: .*(node-gyp|g\+\+).*\n$/);
});

test('it has what an operator needs besides', () => {
  const { root } = there();
  for (const file of ['README.md', 'LICENSE', 'deploy/Dockerfile', 'deploy/kubernetes.yaml'])
    expect(existsSync(join(root, file)), file).toBe(true);
  expect(readdirSync(join(root, 'dist')).filter((name) => name.endsWith('.map'))).toEqual([]);
});

test('the links of its documentation lead to files that it has', () => {
  const { root } = there();
  const docs = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));
  for (const page of ['README.md', 'CHANGELOG.md', ...docs.map((name) => join('docs', name))]) {
    const links = [...readFileSync(join(root, page), 'utf8').matchAll(/\]\(([^)#\s]+)(?:#[^)\s]*)?\)/g)];
    for (const [, to = ''] of links.filter(([, to = '']) => !to.includes('://')))
      expect(existsSync(join(root, dirname(page), to)), `${page}: ${to}`).toBe(true);
  }
});

/** Nobody's user and group. */
const NOBODY = '65534';

test.each([
  ['its own namespace, as nobody', false],
  ['a namespace that it enters, as root without other powers', true],
])('it answers in %s with the capabilities of its unit alone', async (_what, enters) => {
  const { node, main } = there();
  pair = await Pair.build({
    noDaemons: true,
    redis: (lab) => {
      chmodSync(lab.directory, 0o755);
      return RedisServer.start(lab, 'redis', { args: ['--unixsocketperm', '777'] });
    },
  });
  const { lab, host1, host2, guest1, guest2, redis } = pair;
  await pair.publishGuests(guest1, guest2);
  await pair.serve(host2);
  const manager = await ServiceManager.start(lab, join(lab.directory, 'notify'));
  chmodSync(manager.socket, 0o777);
  // The unit's RuntimeDirectory= belongs to its user.
  const state = join(lab.directory, 'state');
  mkdirSync(state, { mode: 0o700 });
  if (!enters) chownSync(state, Number(NOBODY), Number(NOBODY));

  const argv = [
    node,
    main,
    'run',
    '--redis',
    redis.socket,
    '--listen',
    '127.0.0.1:0',
    '--log-format',
    'json',
    '--state-dir',
    state,
  ];
  const limited = ['setpriv', ...(enters ? [] : nobody), ...limits(enters), '--', ...argv];
  const command = enters ? [...limited, '--netns', host1.namespace.name] : host1.namespace.inside(limited);
  const daemon = await lab.start(command, { NOTIFY_SOCKET: manager.socket });
  await daemon.until('it to be ready', () => manager.count('READY=1') === 1);
  await daemon.until('the directory to answer', () => !manager.status.includes('directory'));

  for (const address of ['20.0.0.2', 'fd20::2']) {
    const { received, rtts } = await guest1.ping(address);
    expect(received, daemon.lines.join('\n')).toBe(1);
    expect(rtts[0]).toBeLessThan(BEFORE_THE_RETRY);
  }
  // No warning: it could announce, and ask nftables.
  expect(daemon.lines.filter((line) => (JSON.parse(line) as { level: number }).level >= 40)).toEqual([]);
  expect(await daemon.stop()).toBe(0);
});

const nobody = ['--reuid', NOBODY, '--regid', NOBODY, '--clear-groups'];

/** What the unit leaves to the daemon, as setpriv has it. */
function limits(entersNamespaces: boolean): string[] {
  const unit = renderUnit({ command: ['missd'], entersNamespaces, credentials: new Map(), groups: [] });
  const named = /^CapabilityBoundingSet=(.*)$/m.exec(unit)?.[1]?.split(' ') ?? [];
  const only = ['-all', ...named.map((one) => one.replace('CAP_', '+').toLowerCase())].join(',');
  return [`--inh-caps=${only}`, `--ambient-caps=${only}`, `--bounding-set=${only}`, '--no-new-privs'];
}

/** Every command in the documentation, typed into a host of the lab as a reader would. */
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Outcome, attempt } from '../../src/lab/command.ts';
import { MISSD } from '../../src/lab/daemon.ts';
import type { Lab } from '../../src/lab/lab.ts';
import type { Program } from '../../src/lab/program.ts';
import { RedisServer } from '../../src/lab/redis-server.ts';
import { until } from '../../src/lab/wait.ts';
import { Pair } from './harness.ts';
import { type Step, shows, stepsOf, worldOf } from './page.ts';

const root = new URL('../../', import.meta.url);
const docs = readdirSync(new URL('docs/', root)).filter((name) => name.endsWith('.md'));
const read = (name: string): string => readFileSync(new URL(name, root), 'utf8');
/** A page without a command, such as the design, needs no lab. */
const PAGES = ['README.md', ...docs.map((name) => `docs/${name}`)].filter(
  (name) => stepsOf(read(name)).length > 0,
);

/**
 * Where a page plays: at a shell of host 1, whose commands are the real ones but for what stands in the scratch
 * folder's `bin`. `/run/netns` has the guests as `guest1` and `guest2`, and whatever is written to `/etc` is forgotten.
 *
 *   pair    two hosts with a guest each, their records in Redis, a missd on host 2
 *   bare    the same, but host 1 has an underlay, a bridge with its guest, and no VXLAN device yet
 */
class Reader {
  readonly #pair: Pair;
  readonly #shell: Program;
  readonly #background: Program[] = [];

  static async sit(world: string): Promise<Reader> {
    const pair = await Pair.build({ noDaemons: true, redis: atItsAddress });
    try {
      await pair.publishGuests(pair.guest1, pair.guest2);
      await pair.serve(pair.host2);
      if (world === 'bare') await pair.host1.namespace.ip(['link', 'delete', pair.host1.segment.device]);
      else if (world !== 'pair') throw new Error(`no world is called ${world}`);
      const reader = new Reader(pair, await pair.lab.start(shell(pair)));
      await until('the shell', () => existsSync(join(pair.lab.directory, 'ready')));
      return reader;
    } catch (error) {
      await pair.close();
      throw error;
    }
  }

  private constructor(pair: Pair, sh: Program) {
    this.#pair = pair;
    this.#shell = sh;
  }

  async type({ kind, what, text = '' }: Step): Promise<Outcome> {
    const done = { code: 0, stdout: '', stderr: '' };
    if (kind === 'elsewhere') {
      expect(existsSync(new URL(what, root)), `${what}, which runs ${text}`).toBe(true);
      return done;
    }
    if (kind === 'file') {
      writeFileSync(join(this.#pair.lab.directory, what), text);
      return done;
    }
    if (/^missd run\b(?!.*--help)/.test(what)) {
      await this.#serve(what);
      return done;
    }
    return attempt(this.#here(['sh', '-ec', what]), { timeout: 30_000 });
  }

  close(): Promise<void> {
    return this.#pair.close();
  }

  /** In the background, where a reader would take another terminal; one that ran before is stopped as by Ctrl-C. */
  async #serve(command: string): Promise<void> {
    await Promise.all(this.#background.splice(0).map((program) => program.stop()));
    const program = await this.#pair.lab.start(this.#here(['sh', '-ec', `exec ${command}`]));
    this.#background.push(program);
    await program.until('missd to be ready', async () => {
      const { code } = await attempt(this.#here(['curl', '-fsS', 'http://127.0.0.1:9847/readyz']));
      return code === 0;
    });
  }

  #here(argv: readonly string[]): string[] {
    const { pid } = this.#shell;
    const path = `PATH=${join(this.#pair.lab.directory, 'bin')}:${process.env['PATH'] ?? ''}`;
    // A root of its own where there is one: the tests may run in a chroot.
    return ['nsenter', '-t', String(pid), '-m', '-n', '-r', '-w', '--', 'env', path, ...argv];
  }
}

/** Where the pages have it, for the reader's host; anywhere else it is known by its socket. */
const REDIS = { address: '10.0.0.5', port: 6379 };

async function atItsAddress(lab: Lab): Promise<RedisServer> {
  const namespace = lab.hosts[0]?.namespace;
  if (namespace === undefined) throw new Error('a Redis comes after its host');
  await namespace.ip(['address', 'add', `${REDIS.address}/32`, 'dev', 'lo'], ['link', 'set', 'lo', 'up']);
  const args = ['--protected-mode', 'no'];
  return RedisServer.start(lab, 'redis', { tcp: { namespace, ...REDIS }, args });
}

/** A process whose mounts and network are the reader's. */
function shell({ lab, redis, host1, guest1, guest2 }: Pair): string[] {
  const bin = join(lab.directory, 'bin');
  mkdirSync(bin);
  const tools = {
    missd: `MISSD_REDIS=redis://${REDIS.address}:${REDIS.port} exec ${process.execPath} ${MISSD} "$@"`,
    'redis-cli': `exec /usr/bin/redis-cli -e -s ${redis.socket} "$@"`,
  };
  for (const [name, script] of Object.entries(tools)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  const script = [
    'cd "$1"',
    // What was there is kept in sight of this one shell only.
    'mkdir -p netns && mount --rbind /run/netns netns && mount -t tmpfs none /run/netns',
    'touch /run/netns/guest1 /run/netns/guest2',
    'mount --bind "netns/$2" /run/netns/guest1 && mount --bind "netns/$3" /run/netns/guest2',
    'mkdir etc && cp -a /etc/. etc && mount --bind etc /etc',
    'touch ready',
    'exec sleep infinity',
  ].join('\n');
  const inside = ['sh', '-ec', script, 'sh', lab.directory, guest1.namespace.name, guest2.namespace.name];
  return host1.namespace.inside(['unshare', '--mount', '--propagation', 'private', ...inside]);
}

describe.each(PAGES)('%s', (name) => {
  test('its commands do what it says', { timeout: 180_000 }, async () => {
    const page = read(name);
    const steps = stepsOf(page);
    const reader = await Reader.sit(worldOf(page));
    try {
      for (const step of steps) {
        const { code, stdout, stderr } = await reader.type(step);
        const where = `${name}:${step.line}: ${step.what}`;
        if (step.kind === 'console') {
          if (!shows(step.text ?? '', stdout + stderr)) expect(stdout + stderr, where).toBe(step.text);
        } else expect({ code, stderr: code === 0 ? '' : stderr }, where).toEqual({ code: 0, stderr: '' });
      }
    } finally {
      await reader.close();
    }
  });
});

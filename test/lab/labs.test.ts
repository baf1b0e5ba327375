import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { BLUEPRINTS } from '../../src/lab/blueprint.ts';
import { type Outcome, attempt } from '../../src/lab/command.ts';
import { MISSD } from '../../src/lab/daemon.ts';
import { Program } from '../../src/lab/program.ts';
import type { Tables } from '../../src/lab/tables.ts';
import type { Tour } from '../../src/lab/tour.ts';
import type { Figures } from '../../src/lab/workload.ts';
import { until } from '../../src/lab/wait.ts';

// As in a CI, where libraries may take a pipe for something to colour.
const lab = (...words: string[]): Promise<Outcome> =>
  attempt(['env', 'CI=1', process.execPath, MISSD, 'lab', ...words], { timeout: 50_000 });

/** Namespaces of labs that this process did not make, by what their names begin with. */
const namespaces = (prefix: string): string[] =>
  readdirSync('/run/netns').filter((name) => name.startsWith(prefix));

const entry = (n: number, host = n): string => `02:42:14:00:00:0${n} dst 10.99.0.${host}`;
const both = (n: number): string[] =>
  [`20.0.0.${n}`, `fd20::${n}`].map((ip) => `${ip} lladdr 02:42:14:00:00:0${n}`);

/** What the tables of host 1 hold in the end. */
const HOST_1: Record<string, Partial<Tables>> = {
  bridged: { neighbours: both(2), fdb: [entry(2)] },
  routed: {
    neighbours: ['10.20.2.2', 'fd20:0:0:2::2'].map((ip) => `${ip} lladdr 02:f0:00:00:00:02`),
    fdb: ['02:f0:00:00:00:02 dst 10.99.0.2'],
  },
  'overlay-netns': { neighbours: both(2), fdb: [entry(2)] },
  'three-hosts': { neighbours: [...both(2), ...both(3)].sort(), fdb: [entry(2), entry(3)] },
  static: { neighbours: both(2), fdb: [entry(2)] },
  multicast: { neighbours: [], fdb: [entry(2)] },
  'point-to-point': { neighbours: [], fdb: [entry(2)] },
  'docker-push': {
    neighbours: [...both(4), ...both(5), ...both(6)].sort(),
    fdb: [4, 5, 6].map((n) => entry(n, 2)),
  },
  'host-routes': {
    neighbours: ['10.20.2.0', 'fd20:0:0:2::'].map((ip) => `${ip} lladdr 02:f0:00:00:00:02`),
    fdb: ['02:f0:00:00:00:02 dst 10.99.0.2'],
    routes: ['10.20.2.0/24 via 10.20.2.0', 'fd20:0:0:2::/64 via fd20:0:0:2::'],
  },
};

/** Of three guests on each of two hosts one pair talks, and one guest moves. */
const COMPARED: Record<string, Record<'entries' | 'flooded' | 'move' | 'cpu', unknown>> = {
  bridged: { entries: { neighbours: 1, fdb: 1, routes: 0 }, flooded: false, move: 'number', cpu: true },
  multicast: {
    // Those that talk, and whoever else was heard.
    entries: { neighbours: 0, fdb: expect.any(Number) as number, routes: 0 },
    flooded: true,
    move: 'number',
    cpu: false,
  },
  'docker-push': { entries: { neighbours: 3, fdb: 3, routes: 0 }, flooded: false, move: 'number', cpu: true },
  'host-routes': { entries: { neighbours: 1, fdb: 1, routes: 1 }, flooded: false, move: 'string', cpu: true },
};

describe('each lab ends with nothing lost after resolution, exact tables, and nothing left behind', () => {
  test.each(BLUEPRINTS.map(({ name }) => name))('%s', async (name) => {
    const { code, stdout, stderr } = await lab(name, '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const seen = JSON.parse(stdout) as Tour;
    expect(seen).toMatchObject({ lab: name, good: true, lost: { later: 0 } });
    expect(seen.pings.length).toBeGreaterThanOrEqual(2);
    for (const { received, sent } of seen.pings.filter(({ first }) => !first)) expect(received).toBe(sent);
    for (const host of seen.hosts) {
      expect(host).toMatchObject({ exact: true, missing: [], unexpected: [] });
      expect(existsSync(`/run/netns/${host.namespace}`), host.namespace).toBe(false);
    }
    expect(seen.hosts[0]).toMatchObject(HOST_1[name] ?? { neighbours: 'to be said above' });
  });
});

test('compare puts them to the same work, each in its own way', async () => {
  const names = Object.keys(COMPARED);
  const { code, stdout, stderr } = await lab('compare', ...names, '--guests', '3', '--pairs', '1', '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const all = JSON.parse(stdout) as Figures[];
  expect(all.map((figures) => figures.lab)).toEqual(names);
  for (const figures of all) {
    expect(figures, figures.lab).toMatchObject({ exact: true, sent: 11, lost: 0 });
    expect(figures.first).toHaveLength(1);
    const { entries, flooded, move, cpu } = COMPARED[figures.lab] ?? {};
    expect(figures.entries[0], figures.lab).toEqual(entries);
    expect(figures.flooded > 0, figures.lab).toBe(flooded);
    expect(typeof figures.move, figures.lab).toBe(move);
    expect(typeof figures.cpu === 'number', figures.lab).toBe(cpu);
  }
});

describe('what is left behind', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'missd-labs-test-'));
  afterAll(() => {
    rmSync(scratch, { recursive: true, force: true });
  });

  test('nothing after Ctrl-C', async () => {
    const program = await Program.start([process.execPath, MISSD, 'lab', 'bridged']);
    const prefix = `missd-${program.pid}-`;
    await program.until('its hosts', () => namespaces(prefix).length > 2);
    program.signal('SIGINT');
    expect(await program.ended).toBe(130);
    expect(namespaces(prefix)).toEqual([]);
  });

  test('nothing after a failure, of which it says one line', async () => {
    const redis = join(scratch, 'redis-server');
    writeFileSync(redis, '#!/bin/sh\necho out of order\nexit 1\n');
    chmodSync(redis, 0o755);
    const path = { PATH: `${scratch}:${process.env['PATH'] ?? ''}` };
    const program = await Program.start([process.execPath, MISSD, 'lab', 'bridged', '--json'], path);
    expect(await program.ended).toBe(1);
    expect(program.lines).toHaveLength(1);
    expect(program.lines[0]).toContain('out of order');
    expect(namespaces(`missd-${program.pid}-`)).toEqual([]);
  });

  test('everything with --keep, until it is cleaned', async () => {
    const name = `kept-${process.pid}`;
    const { code, stdout } = await lab('bridged', '--keep', name, '--prometheus');
    try {
      expect(code).toBe(0);
      expect(stdout).toContain(`missd lab clean ${name}`);
      expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
      const ping = ['ping', '-c', '1', '-W', '5', '20.0.0.2'];
      const entered = ['nsenter', `--net=/run/netns/missd-${name}-g1`, ...ping];
      expect((await attempt(entered)).code).toBe(0);
      const url = /--listen (127\.0\.0\.1:\d+)$/m.exec(stdout)?.[1] ?? '';
      expect((await attempt([process.execPath, MISSD, 'status', '--listen', url])).code).toBe(0);
      const prometheus = /every daemon: http:\/\/(127\.0\.0\.1:\d+)$/m.exec(stdout)?.[1] ?? '';
      expect(await (await fetch(`http://${prometheus}/api/v1/query?query=sum(up)`)).text()).toContain('"2"');
      expect(await lab('bridged', '--keep', name)).toMatchObject({ code: 1, stdout: '' });

      expect(await lab('clean', name)).toMatchObject({ code: 0, stdout: `took down ${name}\n` });
      expect(namespaces(`missd-${name}-`)).toEqual([]);
      await until('its daemon to be gone', async () => !(await answers(url)));
      await until('its Prometheus to be gone', async () => !(await answers(prometheus)));
    } finally {
      await lab('clean', name);
    }
  });
});

test.each([
  {
    what: 'nothing to scrape with',
    words: ['--keep'],
    path: '/nowhere',
    says: 'apt-get install prometheus',
    ends: 1,
  },
  { what: 'nothing that stays up', words: [], path: process.env['PATH'] ?? '', says: '--keep', ends: 2 },
])('--prometheus with $what is one line and nothing more', async ({ words, path, says, ends }) => {
  const argv = ['env', `PATH=${path}`, process.execPath, MISSD, 'lab', 'bridged', '--prometheus', ...words];
  const { code, stdout, stderr } = await attempt(argv);
  expect({ code, stdout }).toEqual({ code: ends, stdout: '' });
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(stderr).toContain(says);
});

const answers = (url: string): Promise<boolean> =>
  fetch(`http://${url}/healthz`).then(
    () => true,
    () => false,
  );

describe('names', () => {
  test('without one there is a list of all', async () => {
    const { code, stdout } = await lab();
    expect(code).toBe(0);
    const listed = stdout.split('\n').map((line) => line.split(/ {2,}/));
    for (const { name, summary } of BLUEPRINTS) expect(listed).toContainEqual([name, summary]);
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  test.each([[['nowhere']], [['nowhere', '--json']], [['compare', 'nowhere']]])(
    'one that is none is a usage error',
    async (words) => {
      const { code, stdout, stderr } = await lab(...words);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr.trim().split('\n')).toHaveLength(1);
      for (const { name } of BLUEPRINTS) expect(stderr).toContain(name);
    },
  );
});

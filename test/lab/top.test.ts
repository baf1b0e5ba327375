/** What an operator sees: `missd status` and `missd top`, of a real daemon and on a real terminal. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { attempt } from '../../src/lab/command.ts';
import { MISSD } from '../../src/lab/daemon.ts';
import { until } from '../../src/lab/wait.ts';
import type { View } from '../../src/top/rates.ts';
import { Pair, close, tellOnFailure } from './harness.ts';
import { ENTER, LEAVE, Terminal } from './terminal.ts';

const ABSENT = '20.0.0.77';

let pair: Pair;
let terminal: Terminal | undefined;
let directory: string;
beforeAll(async () => {
  pair = await Pair.build();
  await pair.publishGuests(pair.guest1, pair.guest2);
});
afterAll(() => close(pair));
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'missd-terminal-'));
});
afterEach(() => {
  terminal?.kill();
  terminal = undefined;
  rmSync(directory, { recursive: true });
});
tellOnFailure(() => pair);

const listen = (): string => pair.daemon.url.replace('http://', '');
const missd = (...args: string[]) =>
  attempt([process.execPath, MISSD, ...args, '--listen', listen()], { timeout: 20_000 });
const askInVain = () => pair.guest1.ping(ABSENT, { timeout: 0.2 });

describe('missd top on a terminal of 80×24', () => {
  test('shows misses that guests just raised, and q gives the screen back', async () => {
    terminal = new Terminal(['top', '--listen', listen(), '--interval', '0.2'], directory);
    await terminal.shows(/vxlan100/);
    expect((await pair.guest1.ping('20.0.0.2')).received).toBe(1);
    await askInVain();
    await askInVain();
    await terminal.shows(/MOST ASKED FOR[^]*20\.0\.0\.2\b/);
    await terminal.shows(/UNRESOLVED[^]*20\.0\.0\.77/);
    terminal.type('q');
    expect(await terminal.ended).toBe(0);
    expect(terminal.output.indexOf(ENTER)).toBe(0);
    expect(terminal.output.endsWith(LEAVE)).toBe(true);
    const { frames } = terminal;
    expect(frames.length).toBeGreaterThan(2);
    for (const lines of frames) {
      expect(lines.length).toBeLessThanOrEqual(24);
      for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(80);
    }
    // A resolution has a latency, in the frame that saw it.
    expect(frames.some((lines) => lines.some((line) => /^latency {4}p50 [\d.]+ ms/.test(line)))).toBe(true);
    expect(terminal.output).toContain('\u001b[32mready');
  });

  test('has no colour with NO_COLOR', async () => {
    terminal = new Terminal(['top', '--listen', listen(), '--count', '1'], directory, { NO_COLOR: '1' });
    expect(await terminal.ended).toBe(0);
    expect(terminal.output).toContain('ready');
    const sequences = terminal.output.split('\u001b[').slice(1);
    expect(sequences.filter((one) => /^[\d;]*m/.test(one))).toEqual([]);
  });

  test('follows the size of the window', async () => {
    terminal = new Terminal(['top', '--listen', listen(), '--interval', '0.2'], directory);
    await askInVain();
    await askInVain();
    await terminal.shows('UNRESOLVED');
    await terminal.resize(170, 30);
    await until('both lists side by side', () =>
      terminal?.frames.some((lines) => lines.some((line) => /MOST ASKED.*UNRESOLVED/.test(line))),
    );
    terminal.type('\u0003');
    expect(await terminal.ended).toBe(0);
  });
});

describe('missd top without a daemon', () => {
  const nobody = ['top', '--listen', '127.0.0.1:9', '--interval', '0.2'];

  test('says so and goes on trying; SIGTERM gives the screen back', async () => {
    terminal = new Terminal(nobody, directory);
    await until('a second try', () => (terminal?.frames.length ?? 0) >= 2);
    await terminal.shows('no daemon answers since');
    terminal.signal('SIGTERM');
    expect(await terminal.ended).toBe(0);
    expect(terminal.output.endsWith(LEAVE)).toBe(true);
  });

  test('a crash gives the screen back before it is told', async () => {
    // No quotes: NODE_OPTIONS has its own use for them.
    const crash = 'process.once(`SIGUSR2`,()=>{throw(Error(`lightning`))})';
    terminal = new Terminal(nobody, directory, { NODE_OPTIONS: `--import=data:text/javascript,${crash}` });
    await terminal.shows('no daemon answers since');
    terminal.signal('SIGUSR2');
    expect(await terminal.ended).not.toBe(0);
    expect(terminal.output).toContain(ENTER);
    const left = terminal.output.indexOf(LEAVE);
    expect(left).toBeGreaterThan(0);
    expect(terminal.output.indexOf('lightning')).toBeGreaterThan(left);
  });
});

describe('missd top into a pipe', () => {
  test('is a block per interval, of text', async () => {
    const { code, stdout } = await missd('top', '--interval', '0.2', '--count', '2');
    expect(code).toBe(0);
    expect(stdout.match(/^missd 0/gm)).toHaveLength(2);
    expect(stdout).toMatch(/^[\x20-\x7e…\n]*$/);
  });

  test('is a line of JSON per interval with --json', async () => {
    const { stdout } = await missd('top', '--interval', '0.2', '--count', '2', '--json');
    const views = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as View);
    expect(views).toHaveLength(2);
    for (const view of views)
      expect(view).toMatchObject({
        since: {
          misses: { l3: expect.any(Number) as number },
          resolution: { count: expect.any(Number) as number },
        },
        status: { devices: [{ name: 'vxlan100', topology: 'bridged' }] },
      });
  });

  test('ends with 1 where nobody answers at the end', async () => {
    const argv = [process.execPath, MISSD, 'top', '--listen', '127.0.0.1:9', '--count', '1'];
    const { code, stdout, stderr } = await attempt(argv);
    expect(code).toBe(1);
    expect(stdout).toContain('no daemon answers');
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});

describe('missd status', () => {
  test('says what is not served, and why', async () => {
    const { namespace } = pair.host1;
    const ip = (...words: string[]) => namespace.exec(['ip', 'link', ...words]);
    await ip('add', 'vxlan300', 'type', 'vxlan', 'id', '300', 'dstport', '4790');
    await ip('add', 'vxlan9', 'type', 'vxlan', 'id', '9', 'dstport', '4791', 'l3miss', 'l2miss');
    await ip('set', 'vxlan9', 'master', 'br0');
    try {
      const text = await until('both to be seen', async () => {
        const { stdout } = await missd('status');
        return stdout.includes('vxlan300') && stdout.includes('another VXLAN device') && stdout;
      });
      expect(text).toMatch(/^vxlan300 .* 300 {2}it has neither l2miss nor l3miss/m);
      expect(text).toMatch(/^vxlan9 .* 9 {2}its bridge br0 has another VXLAN device, vxlan100/m);
      expect(text).toMatch(/^DEVICE/m);
    } finally {
      for (const name of ['vxlan300', 'vxlan9']) await ip('del', name);
    }
  });

  test('says which addresses are unresolved, which port asked, and how old what it says of the tables is', async () => {
    await askInVain();
    // The guest itself asks again, a second later.
    const stdout = await until('it to be asked again', async () => {
      const said = await missd('status');
      return said.stdout.includes('UNRESOLVED') && said.stdout;
    });
    expect(stdout).toMatch(/^UNRESOLVED[^]*^20\.0\.0\.77 +100 .* g1 /m);
    expect(stdout).toMatch(/^entries .*tables compared \d+ s ago$/m);
    expect(stdout).toContain(`redis ${pair.redis.socket}, up for`);
    expect(stdout).toMatch(/^[\x20-\x7e\n]*$/);
  });
});

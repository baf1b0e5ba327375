/** Commands that own a terminal or namespaces: on SIGHUP and on a terminal that closes they clean up and end. */
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../../src/lab/wait.ts';
import { LEAVE, Terminal } from './terminal.ts';

let terminal: Terminal | undefined;
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'missd-hangup-'));
});
afterEach(() => {
  terminal?.kill();
  terminal = undefined;
  rmSync(directory, { recursive: true });
});

/** A start takes a second of processor time, on a machine with other work. */
const PATIENCE = { timeout: 40_000 };

/** The command with this pid is gone. */
const end = (pid: number): Promise<boolean> =>
  until(`process ${pid} to end`, () => !existsSync(`/proc/${pid}`), PATIENCE);

/** Command lines of processes that name something, whose parents may be dead. */
const processesNaming = (what: string): string[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(commandLine)
    .filter((line) => line.includes(what));

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

/** What the names of all that a lab makes outside of its own process begin with. */
type Prefix = string;
const KEPT = `hangup-${process.pid}`;

const namesIn = (folder: string, prefix: Prefix): string[] =>
  existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith(prefix)) : [];
const namespacesOf = (prefix: Prefix): string[] => namesIn('/run/netns', prefix);
const leftBy = (prefix: Prefix) => ({
  namespaces: namespacesOf(prefix),
  files: [...namesIn(tmpdir(), prefix), ...namesIn('/run/missd-lab', KEPT)],
  processes: processesNaming(prefix),
});
const NOTHING = { namespaces: [], files: [], processes: [] };

/** Moments at which a lab may be told. */
const MOMENTS: [string, (prefix: Prefix) => boolean][] = [
  ['while its hosts are built', (prefix) => namespacesOf(prefix).length > 1],
  [
    'while its daemons run',
    (prefix) => processesNaming(prefix).filter((line) => line.includes(' run ')).length > 1,
  ],
];

describe.each([
  ['demo', (pid: number): Prefix => `missd-${pid}-`],
  ['bridged', (pid: number): Prefix => `missd-${pid}-`],
  [`bridged --keep ${KEPT}`, (): Prefix => `missd-${KEPT}-`],
])('missd lab %s', (words, prefixOf) => {
  const begun = async (is: (prefix: Prefix) => boolean): Promise<{ pid: number; prefix: Prefix }> => {
    terminal = new Terminal(['lab', ...words.split(' ')], directory);
    const pid = await until('its pid', () => namesIn(directory, 'terminal.pid').length > 0 && terminal?.pid);
    const prefix = prefixOf(pid);
    await until('the moment', () => is(prefix), PATIENCE);
    return { pid, prefix };
  };

  test.each(MOMENTS)('ends by SIGHUP %s and leaves nothing', async (_, moment) => {
    const { prefix } = await begun(moment);
    terminal?.signal('SIGHUP');
    expect(await terminal?.ended).toBe(129);
    await until('its programs to be gone', () => processesNaming(prefix).length === 0);
    expect(leftBy(prefix)).toEqual(NOTHING);
  });

  test.each(MOMENTS)('ends when its terminal closes %s and leaves nothing', async (_, moment) => {
    const { pid, prefix } = await begun(moment);
    terminal?.kill();
    await end(pid);
    // They were killed, which takes effect a moment later.
    await until('its programs to be gone', () => processesNaming(prefix).length === 0);
    expect(leftBy(prefix)).toEqual(NOTHING);
  });
});

describe('missd top', () => {
  const begun = async (): Promise<number> => {
    terminal = new Terminal(['top', '--listen', '127.0.0.1:9', '--interval', '0.2'], directory);
    await terminal.shows('no daemon answers');
    return terminal.pid;
  };

  test('ends by SIGHUP and gives the screen back', async () => {
    await begun();
    terminal?.signal('SIGHUP');
    expect(await terminal?.ended).toBe(0);
    expect(terminal?.output.endsWith(LEAVE)).toBe(true);
  });

  test('ends when its terminal closes', async () => {
    const pid = await begun();
    terminal?.kill();
    expect(await end(pid)).toBe(true);
  });
});

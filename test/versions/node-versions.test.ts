/** The unit tests, and a daemon's start, on the other versions of Node that missd supports. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { run } from '../../src/lab/command.ts';
import { MISSD } from '../../src/lab/daemon.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const current = Number(process.versions.node.split('.')[0]);
const others = [20, 22, 24].filter((major) => major !== current);

/** Without what this run of vitest has set for its own workers. */
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_OPTIONS|npm_)/.test(name)),
);

interface Ended {
  code: unknown;
  stdout: string;
  stderr: string;
}

const ended = (program: string, ...args: string[]): Promise<Ended> =>
  new Promise((resolve) => {
    execFile(
      program,
      args,
      { cwd: root, env, timeout: 600_000, maxBuffer: 64 << 20 },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : error.code, stdout, stderr });
      },
    );
  });

/** The first call downloads it. */
const nodeOf = async (major: number): Promise<string> =>
  (await run(['sh', `${root}/test/node.sh`, String(major)], { timeout: 900_000 })).trim();

describe.each(others)('Node %i', (major) => {
  test('passes the unit tests', { timeout: 1_500_000 }, async () => {
    const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/vitest.config.ts'];
    const { code, stdout } = await ended(
      await nodeOf(major),
      ...vitest,
      '--project',
      'unit',
      '--reporter',
      'dot',
    );
    expect({ code, said: code === 0 ? '' : stdout.slice(-8_000) }).toEqual({ code: 0, said: '' });
  });

  test('starts missd without a word of warning', { timeout: 960_000 }, async () => {
    const said = await ended(await nodeOf(major), MISSD, 'run', '--help');
    expect(said).toMatchObject({ code: 0, stderr: '' });
    expect(said.stdout).toContain('Usage: missd run');
  });
});

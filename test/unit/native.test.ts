/** Without an addon that can be loaded: what needs no kernel works, what does says in one line what to do. */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'missd-bare-'));
  cpSync(join(ROOT, 'dist'), join(dir, 'dist'), { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(dir, 'package.json'));
  symlinkSync(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
});
afterAll(() => {
  rmSync(dir, { recursive: true });
});

const missd = (...words: string[]): Promise<{ code: number | string; out: string; err: string }> =>
  new Promise((done) => {
    execFile(process.execPath, [join(dir, 'dist/main.js'), ...words], (error, out, err) => {
      done({ code: error === null ? 0 : (error.code ?? 'signal'), out, err });
    });
  });

const broken = ['none', 'one for another machine'] as const;

test.each(broken)(
  '%s',
  async (kind) => {
    if (kind !== 'none') {
      mkdirSync(join(dir, 'addon/build/Release'), { recursive: true });
      writeFileSync(join(dir, 'addon/build/Release/missd.node'), 'no ELF');
    }
    const nobody = join(dir, 'nobody.sock');
    for (const works of ['--version', '--help'])
      expect(await missd(works)).toMatchObject({ code: 0, err: '' });
    for (const command of ['endpoint', 'subnet']) {
      const { code, err } = await missd(command, 'ls', '--redis', nobody);
      expect({ code, err }).toEqual({ code: 1, err: `missd: Redis: no socket at ${nobody}\n` });
    }
    for (const command of ['run', 'flush']) {
      const { code, err } = await missd(command);
      expect(code).toBe(1);
      expect(err).toMatch(/^missd: [^\n]*the native addon cannot be loaded \([^\n]*npm run build\n$/);
    }
  },
  180_000,
);

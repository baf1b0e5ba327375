/** Ten million inputs to everything in the addon that reads what others wrote, under the address and UB sanitizers. */
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
const addon = (...parts: string[]): string =>
  new URL(['../../addon', ...parts].join('/'), import.meta.url).pathname;

const INPUTS = 10_000_000;
/** Twice the longest message of the corpus. */
const LONGEST = 2048;
const MINUTE = 60_000;

let directory: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'missd-fuzz-'));
  cpSync(addon('fuzz', 'corpus'), join(directory, 'corpus'), { recursive: true });
  const sources = [
    ...[
      'address',
      'decode',
      'decode_link',
      'frames',
      'encode',
      'asker',
      'socket',
      'request',
      'dumper',
      'sighting',
    ],
  ].map((name) => addon('src', `${name}.cc`));
  await run('clang++', [
    ...['-std=c++17', '-g', '-O1', '-Wall', '-Wextra', '-Wshadow', '-Wconversion', '-Werror'],
    ...['-fsanitize=fuzzer,address,undefined', '-fno-sanitize-recover=undefined'],
    ...['-I', addon('src'), addon('fuzz', 'decode_fuzz.cc'), ...sources],
    ...['-o', join(directory, 'decode_fuzz')],
  ]);
}, 2 * MINUTE);

afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

test('no input makes a decoder read or compute what it must not', { timeout: 30 * MINUTE }, async () => {
  // A crash is an exit code, which rejects with libFuzzer's words and the input in base64.
  const { stderr } = await run(
    join(directory, 'decode_fuzz'),
    [
      'corpus',
      `-runs=${INPUTS}`,
      `-max_len=${LONGEST}`,
      ...['-seed=1', '-timeout=5', '-rss_limit_mb=1024', '-print_final_stats=1', '-verbosity=0'],
    ],
    { cwd: directory, maxBuffer: 1 << 26 },
  );
  const executed = Number(/number_of_executed_units: (\d+)/.exec(stderr)?.[1]);
  expect(executed).toBeGreaterThanOrEqual(INPUTS);
});

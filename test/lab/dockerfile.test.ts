/** The image, as far as that can be had without Docker: its last stage's files and no others, in a place of their own. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { attempt, run } from '../../src/lab/command.ts';
import { VERSION } from '../../src/base/version.ts';
import { Pair, close, tellOnFailure } from './harness.ts';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
const dockerfile = readFileSync(join(checkout, 'deploy', 'Dockerfile'), 'utf8');
const image = mkdtempSync(join(tmpdir(), 'missd-image-'));
const main = join(image, 'dist', 'main.js');

let pair: Pair | undefined;
tellOnFailure(() => pair);

beforeAll(() => {
  for (const [, source = '', target = ''] of dockerfile.matchAll(
    /^COPY --from=build \/src\/(\S+) (\S+)$/gm,
  )) {
    const from = join(checkout, source);
    // As COPY has it: into a directory where the target ends in a slash, and under its own name otherwise.
    const to = join(image, /\/$/.test(target) ? join(target, basename(source)) : target);
    mkdirSync(dirname(to), { recursive: true });
    if (source === 'node_modules') symlinkSync(from, to);
    else cpSync(from, to, { recursive: statSync(from).isDirectory() });
  }
});
afterAll(async () => {
  await close(pair);
  rmSync(image, { recursive: true });
});

test('what it copies is enough to run, and its health check tells a daemon that answers from one that does not', async () => {
  expect(await run([process.execPath, main, '--version'])).toBe(`${VERSION}\n`);

  pair = await Pair.build({ noDaemons: true });
  const { host1, host2, guest1, guest2 } = pair;
  await pair.publishGuests(guest1, guest2);
  const daemon = await (await pair.start(host1, [], { main })).ready();
  await pair.serve(host2);
  expect((await guest1.ping('20.0.0.2')).received).toBe(1);

  const words = /HEALTHCHECK[^\n]*\\\n\s*CMD (\[.*\])/.exec(dockerfile)?.[1] ?? '[]';
  const [, ...check] = JSON.parse(words) as string[];
  const healthy = async (): Promise<number> => {
    const listen = `MISSD_LISTEN=${new URL(daemon.url).host}`;
    return (await attempt(['env', listen, process.execPath, ...check])).code;
  };
  expect(await healthy()).toBe(0);
  await daemon.stop();
  expect(await healthy()).toBe(1);
});

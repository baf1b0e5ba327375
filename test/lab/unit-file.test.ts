/** The unit of `missd service install`, held against systemd's own judgement. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { attempt, run } from '../../src/lab/command.ts';
import { MISSD } from '../../src/lab/daemon.ts';

const directory = mkdtempSync(join(tmpdir(), 'missd-unit-'));
afterAll(() => {
  rmSync(directory, { recursive: true });
});

test.each([
  // From 0, locked in, to 10; 1.8 and 2.5 with Debian 12's systemd, and others may weigh differently.
  ['in its own namespace', [], 2.5],
  ['with networks to join', ['--join', 'blue', '--masquerade', '--subnet-file', '/run/subnet.env'], 3],
  ['with namespaces to enter', ['--netns', 'blue', '--redis', 'redis://10.0.0.5:6379'], 3.2],
])('%s: is understood whole, and leaves little open', async (_what, options, most) => {
  const file = join(directory, 'missd.service');
  const unit = await run([process.execPath, MISSD, 'service', 'install', '--print', ...options]);
  // How verify says that it found nothing depends on the version; it looks for the programs, too.
  writeFileSync(file, unit);
  const verified = await attempt(['systemd-analyze', 'verify', '--man=no', file]);
  expect(verified.stderr.split('\n').filter((line) => line.includes('missd'))).toEqual([]);
  expect(verified.code).toBe(0);
  const judged = await run(['systemd-analyze', 'security', '--offline=true', file]);
  const exposure = Number(/exposure level for missd\.service: ([\d.]+)/.exec(judged)?.[1]);
  console.log(`systemd-analyze security: ${exposure}`);
  expect(exposure).toBeLessThanOrEqual(most);
});

import { mkdtempSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type Presence, identify, presence$ } from '../../../src/links/netns-watch.ts';
import { watch } from '../fake/world.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('a circular symbolic link is a reason to wait, not an error', () => {
  const loop = join(mkdtempSync(join(tmpdir(), 'missd-presence-')), 'loop');
  symlinkSync(loop, loop);
  expect(identify(loop).reason).toContain('ELOOP');
  expect(identify(`${loop}-none`)).toEqual({ reason: 'does not exist' });
});

it('a path that cannot be read for a while keeps its namespace', async () => {
  const unknown = { reason: 'cannot be looked at (EACCES)', unknown: true };
  const looks: (Presence & { unknown?: boolean })[] = [
    unknown,
    { identity: '4:1', reason: '' },
    unknown,
    { identity: '4:1', reason: '' },
    { reason: 'does not exist' },
  ];
  const seen: string[] = [];
  const following = watch(
    presence$('any', () => looks.shift() ?? { reason: 'does not exist' }),
    ({ identity, reason }) => seen.push(identity ?? reason),
  );
  await vi.advanceTimersByTimeAsync(10_000);
  following.unsubscribe();
  expect(seen).toEqual(['cannot be looked at (EACCES)', '4:1', 'does not exist']);
});

import { Command } from 'commander';
import { expect, it } from 'vitest';
import { declare, resolve } from '../../../src/config/options.ts';
import { warmUp } from '../../../src/daemon/warm-up/warm-up.ts';

it('answers made-up misses with a fake kernel and directory, and ends', async () => {
  const words = ['--redis', '/nowhere/redis.sock', '--netns', '/nowhere', '--device', 'nothing'];
  const command = declare(new Command(), 'run').parse(words, { from: 'user' });
  expect(await warmUp(resolve(command, 'run'))).toBeGreaterThan(0);
});

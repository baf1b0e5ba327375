import { expect, it } from 'vitest';
import type { RunOptions } from '../../src/config/options.ts';
import { warmUp } from '../../src/warm-up.ts';

const options: RunOptions = {
  redis: '/nowhere/redis.sock',
  keyPrefix: 'missd',
  netns: ['/nowhere'],
  device: ['nothing'],
  local: [],
  vtepAllow: [],
  lifetime: 60,
  idle: 3600,
  negativeLifetime: 5,
  audit: 10,
  withdrawalGrace: 300,
  maxEntries: 200_000,
  strategy: [],
  broadcast: [],
  lookupRate: 2_000,
  receiveBuffer: 1 << 20,
  listen: { host: '127.0.0.1', port: 9847 },
  logLevel: 'info',
};

it('answers misses that nobody asked, with neither kernel nor directory, and ends', async () => {
  expect(await warmUp(options)).toBeGreaterThan(0);
});

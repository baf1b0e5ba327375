import { describe, expect, it } from 'vitest';
import { redisReason } from '../../../../src/directory/redis/reason.ts';
import type { RedisTarget } from '../../../../src/directory/redis/url.ts';

const TARGET: RedisTarget = {
  where: { kind: 'sentinel', sentinels: [{ host: 'h1', port: 26379 }], master: 'm' },
  db: 0,
  name: 'm of h1:26379',
};

describe('a fault of the sentinels', () => {
  it.each([
    [
      'NOAUTH Authentication required.',
      /^the sentinels of m .* want a password \(--redis-sentinel-password-file\)$/,
    ],
    [
      'WRONGPASS invalid username-password pair',
      /^the sentinels of m .* know another user name or password$/,
    ],
    [
      "NOPERM this user has no permissions to run the 'sentinel' command",
      /^not permitted by the sentinels: /,
    ],
    ['connect ECONNREFUSED 10.0.0.1:26379', /^no sentinel of m .* answers$/],
  ])('is named: %s', (last, reason) => {
    const said = `All sentinels are unreachable. Retrying from scratch after 50ms. Last error: ${last}`;
    expect(redisReason(new Error(said), TARGET)).toMatch(reason);
  });
});

/** The members of a VNI's broadcast domain: a sorted set of VTEPs, scored with the time at which each expires. */
import type { Ip } from '../../base/vocabulary.ts';

/** A member is removed this long after it expired, ms. */
const FORGOTTEN = 3_600_000;

/**
 * Renews and reads in one step, by the clock of the server, since the clocks of the hosts may differ by minutes.
 * KEYS[1]: the set. ARGV: lifetime, ms; time after expiry at which a member is removed, ms; then the VTEPs to renew.
 */
export const TAKE_PART = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 3, #ARGV do redis.call('ZADD', KEYS[1], string.format('%d', now + ARGV[1]), ARGV[i]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%d', now - ARGV[2]))
return redis.call('ZRANGEBYSCORE', KEYS[1], string.format('(%d', now), '+inf')`;

export const takePartArguments = (vteps: readonly Ip[], milliseconds: number): (string | number)[] => [
  milliseconds,
  FORGOTTEN,
  ...vteps,
];

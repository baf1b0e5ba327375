/** The tables of a device held against the directory where it is not known beforehand which addresses have entries. */
import type { RedisServer } from '../../src/lab/redis-server.ts';
import type { Segment } from '../../src/lab/segment.ts';
import { expectTables } from './tables.ts';
import { until } from '../../src/lab/wait.ts';

export interface TruthOptions {
  /** Addresses that must be held as far as they have records; by default those that have a row, whoever wrote it. */
  held?: readonly string[];
  /** Milliseconds within which the tables must become true. */
  within?: number;
  /** VTEPs of this host: what is behind them has no row. */
  home?: readonly string[];
}

/** Waits until the device's tables are what the directory says, neither more nor less. */
export async function becomesTrue(
  redis: RedisServer,
  segment: Segment,
  { held, within = 10_000, home = [segment.host.vtep] }: TruthOptions = {},
): Promise<void> {
  const look = async (): Promise<void> => {
    const ips = held ?? (await segment.neighbours()).map(({ ip }) => ip);
    const away = await remote(redis, segment.vni, ips, home);
    await expectTables(segment, redis, { ips: away, timeout: 0 });
  };
  const holds = (): Promise<boolean> =>
    look().then(
      () => true,
      () => false,
    );
  await until('the tables to be true', holds, { timeout: within }).catch(look);
}

/** Those of the addresses that have a record naming another host. */
async function remote(
  redis: RedisServer,
  vni: number,
  ips: readonly string[],
  home: readonly string[],
): Promise<string[]> {
  const script = `local out = {}
for _, ip in ipairs(ARGV) do
  local value = redis.call('GET', KEYS[1] .. 'ip:' .. ip)
  if value then
    local mac, vtep = value:match('^(%S+) (%S+)')
    out[#out + 1] = ip .. ' ' .. (redis.call('GET', KEYS[1] .. 'mac:' .. mac) or vtep)
  end
end
return out`;
  const lines = (await redis.cli('--raw', 'EVAL', script, '1', `missd:{${vni}}:`, ...ips)).split('\n');
  return lines.flatMap((line) => {
    const [ip = '', vtep = ''] = line.split(' ');
    return ip === '' || home.includes(vtep) ? [] : [ip];
  });
}

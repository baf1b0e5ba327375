/** The tables of a device held against the directory where it is not known beforehand which addresses have entries. */
import type { RedisServer } from '../../src/lab/redis-server.ts';
import type { Segment } from '../../src/lab/segment.ts';
import { type Tables, expectTables } from './tables.ts';
import { until } from '../../src/lab/wait.ts';

export interface TruthOptions {
  /** Addresses that must be held as far as they have records; by default those that have a row, whoever wrote it. */
  held?: readonly string[];
  /** Milliseconds within which the tables must become true. */
  within?: number;
  /** VTEPs of this host: what is behind them has no row. */
  home?: readonly string[];
}

/**
 * Waits until the device's tables are what the directory says, neither more nor less. An FDB entry that no neighbour
 * needs is none too many where a `mac:` record says it.
 */
export async function becomesTrue(
  redis: RedisServer,
  segment: Tables & Partial<Pick<Segment, 'host'>>,
  { held, within = 10_000, home = segment.host === undefined ? [] : [segment.host.vtep] }: TruthOptions = {},
): Promise<void> {
  const look = async (): Promise<void> => {
    const ips = held ?? (await segment.neighbours()).map(({ ip }) => ip);
    const macs = (await segment.fdb()).map(({ lladdr }) => lladdr);
    const wanted = await remote(redis, segment.vni, { ips, macs }, home);
    await expectTables(segment, redis, { ...wanted, timeout: 0 });
  };
  const holds = (): Promise<boolean> =>
    look().then(
      () => true,
      () => false,
    );
  await until('the tables to be true', holds, { timeout: within }).catch(look);
}

const SCRIPT = `local out, ip = {}, true
for _, address in ipairs(ARGV) do
  if address == 'macs' then ip = false
  elseif ip then
    local mac, vtep = (redis.call('GET', KEYS[1] .. 'ip:' .. address) or ''):match('^(%S+) (%S+)')
    if mac then out[#out + 1] = address .. ' ' .. (redis.call('GET', KEYS[1] .. 'mac:' .. mac) or vtep) end
  else
    local vtep = redis.call('GET', KEYS[1] .. 'mac:' .. address)
    if vtep then out[#out + 1] = 'mac ' .. address .. ' ' .. vtep end
  end
end
return out`;

interface Addresses {
  ips: readonly string[];
  macs: readonly string[];
}

/** Those of the addresses that have a record of their own naming another host. */
async function remote(
  redis: RedisServer,
  vni: number,
  { ips, macs }: Addresses,
  home: readonly string[],
): Promise<Addresses> {
  const asked = [...ips, 'macs', ...macs];
  const lines = (await redis.cli('--raw', 'EVAL', SCRIPT, '1', `missd:{${vni}}:`, ...asked)).split('\n');
  const named = lines.filter((line) => line !== '' && !home.includes(line.split(' ').at(-1) ?? ''));
  return {
    ips: named.flatMap((line) => (line.startsWith('mac ') ? [] : [line.split(' ')[0] ?? ''])),
    macs: named.flatMap((line) => (line.startsWith('mac ') ? [line.split(' ')[1] ?? ''] : [])),
  };
}

/**
 * The kernel's tables against the directory, entry by entry. What the directory says is worked out here once more, from
 * what is in Redis, and none of the product's code takes part in it.
 */
import { expect } from 'vitest';
import type { RedisServer } from '../../src/lab/redis-server.ts';
import type { Segment } from '../../src/lab/segment.ts';
import { until } from '../../src/lab/wait.ts';

const DUMP = `
local all = {}
for _, key in ipairs(redis.call('KEYS', 'missd:*')) do
  if redis.call('TYPE', key).ok == 'string' then all[#all + 1] = { key, redis.call('GET', key) } end
end
return all`;

/** Every record in Redis, by what comes behind the VNI: `ip:20.0.0.2`. */
async function records(redis: RedisServer, vni: number): Promise<Map<string, string>> {
  const rows = JSON.parse(await redis.cli('--json', 'EVAL', DUMP, '0')) as [string, string][];
  const prefix = `missd:{${vni}}:`;
  return new Map(
    rows.filter(([key]) => key.startsWith(prefix)).map(([key, value]) => [key.slice(prefix.length), value]),
  );
}

const number = (ip: string): number => ip.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0);

/** Longest prefix that covers an IPv4 address. */
function lease(all: ReadonlyMap<string, string>, ip: string): string | undefined {
  let best = -1;
  let found: string | undefined;
  for (const [name, value] of all) {
    const [, network = '', bits = ''] = /^subnet:([\d.]+)\/(\d+)$/.exec(name) ?? [];
    const size = 2 ** (32 - Number(bits));
    const covers = network !== '' && Math.floor(number(ip) / size) === Math.floor(number(network) / size);
    if (!covers || Number(bits) <= best) continue;
    best = Number(bits);
    found = value;
  }
  return found;
}

/** A device whose rows can be looked at. */
export type Tables = Pick<Segment, 'vni' | 'neighbours' | 'fdb'>;

export interface Wanted {
  /** Addresses whose entries must be there, and no other's. */
  ips: readonly string[];
  /** MACs whose FDB entries must be there although no neighbour needs them. */
  macs?: readonly string[];
  timeout?: number;
}

/** Waits until all rows of the device are what the directory says of these addresses; shows the difference otherwise. */
export async function expectTables(
  segment: Tables,
  redis: RedisServer,
  { ips, macs = [], timeout = 10_000 }: Wanted,
): Promise<void> {
  const look = async (): Promise<{ is: string[]; should: string[] }> => {
    const all = await records(redis, segment.vni);
    return { is: await rowsOf(segment), should: rowsFor(all, ips, macs) };
  };
  const same = async (): Promise<boolean> => {
    const { is, should } = await look();
    return JSON.stringify(is) === JSON.stringify(should);
  };
  await until('the tables to be as the directory says', same, { timeout, every: 100 }).catch(() => undefined);
  const { is, should } = await look();
  expect(is).toEqual(should);
}

function rowsFor(
  all: ReadonlyMap<string, string>,
  ips: readonly string[],
  macs: readonly string[],
): string[] {
  const rows = new Set<string>();
  const fdb = (mac: string, vtep: string): void => {
    rows.add(`fdb ${mac} ${all.get(`mac:${mac}`) ?? vtep} extern_learn`);
  };
  for (const ip of ips) {
    const [mac = 'no', vtep = 'record'] = (all.get(`ip:${ip}`) ?? lease(all, ip))?.split(' ') ?? [];
    rows.add(`neighbour ${ip} ${mac} NOARP extern_learn 77`);
    fdb(mac, vtep);
  }
  for (const mac of macs) {
    const named = [...all].find(([name, value]) => /^(ip|subnet):/.test(name) && value.startsWith(mac));
    fdb(mac, named?.[1].split(' ')[1] ?? 'no record');
  }
  return [...rows].sort();
}

/** What a person would see. */
export async function rowsOf(segment: Tables): Promise<string[]> {
  const neighbours = await segment.neighbours();
  const fdb = await segment.fdb();
  return [
    ...neighbours.map(
      ({ ip, lladdr = 'nothing', state, externLearned, protocol }) =>
        `neighbour ${ip} ${lladdr} ${state}${externLearned ? ' extern_learn' : ''} ${protocol}`,
    ),
    ...fdb.map(({ lladdr, vtep = 'nowhere', state, externLearned }) =>
      ['fdb', lladdr, vtep, state, externLearned ? 'extern_learn' : '']
        .filter((word) => word !== '')
        .join(' '),
    ),
  ].sort();
}

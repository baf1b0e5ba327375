import { describe, expect, it } from 'vitest';
import { DirectoryError, type Values } from '../../../../src/directory/directory.ts';
import { RedisKeys } from '../../../../src/directory/redis/keys.ts';
import { RedisLeases } from '../../../../src/directory/redis/leases.ts';
import type { RedisReader } from '../../../../src/directory/redis/reader.ts';
import { OversizedReply } from '../../../../src/directory/redis/reply-bound.ts';

const VALUE = '02:f0:00:00:00:02 10.99.0.2';
const cidr = (n: number): string => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}/32`;
const many = (count: number): string[] => Array.from({ length: count }, (_, n) => cidr(n));

/** Sets by key; an error in place of one is what reading it ends with. */
function leases(
  sets: Record<string, string[] | Error>,
  valueOf: (key: string) => string | null = () => VALUE,
) {
  const malformed: string[] = [];
  const changed: number[] = [];
  let complete = 0;
  let values = 0;
  // As much of a reader as leases take.
  const reader: Pick<RedisReader, 'members' | 'values'> = {
    async *members(key) {
      await Promise.resolve();
      const set = sets[key] ?? [];
      if (set instanceof Error) throw new DirectoryError(set.message, { cause: set });
      for (let from = 0; from < set.length; from += 1000) yield set.slice(from, from + 1000);
    },
    values(keys): Promise<Values> {
      values += keys.length;
      return Promise.resolve(keys.map(valueOf));
    },
  };
  const made = new RedisLeases(
    reader as RedisReader,
    new RedisKeys('missd'),
    (vni) => changed.push(vni),
    (vni, reason, example) => malformed.push(`${vni} ${reason} ${example}`),
    () => complete++,
  );
  return { leases: made, malformed, changed, looked: () => values, complete: () => complete };
}

const SET = 'missd:{100}:subnets';
const OTHER = 'missd:{200}:subnets';

describe('the leases of a VNI', () => {
  it('are absent if the set is of another type, for this VNI only', async () => {
    const sets: Record<string, string[] | Error> = {
      [SET]: new Error('WRONGTYPE Operation against a key holding the wrong kind of value'),
      [OTHER]: ['10.20.2.0/24'],
    };
    const of = leases(sets);
    of.leases.follow(new Set([100, 200]));
    await of.leases.refresh();
    expect([of.leases.current, of.leases.idle, of.complete()]).toEqual([true, true, 1]);
    expect(of.leases.of(100).isEmpty).toBe(true);
    expect(of.leases.of(200).all()).toHaveLength(1);
    expect(of.malformed).toEqual([`100 type ${SET} is not a set`]);
    sets[SET] = ['10.20.3.0/24'];
    of.leases.invalidate(100);
    await of.leases.refresh();
    expect(of.leases.of(100).all()).toHaveLength(1);
  });

  it('are bounded, and further leases are counted', async () => {
    const of = leases({ [SET]: many(20_000) });
    of.leases.follow(new Set([100]));
    await of.leases.refresh();
    expect(of.leases.of(100).all()).toHaveLength(16_384);
    expect(of.leases.excess).toBe(20_000 - 16_384);
    expect(of.malformed).toEqual([`100 excess ${SET} has 3616 members too many, or more`]);
  });

  it('are found among a bounded number of members without a lease', async () => {
    const real = new Set(['10.0.0.7/32', '10.0.200.7/32']);
    const of = leases({ [SET]: many(1_000_000) }, (key) =>
      real.has(key.slice(key.lastIndexOf(':') + 1)) ? VALUE : null,
    );
    of.leases.follow(new Set([100]));
    await of.leases.refresh();
    expect(of.looked()).toBe(65_536);
    expect(
      of.leases
        .of(100)
        .all()
        .map((lease) => lease.cidr)
        .sort(),
    ).toEqual([...real].sort());
    expect(of.leases.excess).toBeGreaterThanOrEqual(65_536);
  });

  it('ignore members that are no prefixes', async () => {
    const of = leases({ [SET]: ['x'.repeat(60_000), '10.20.2.0/24'] });
    of.leases.follow(new Set([100]));
    await of.leases.refresh();
    expect(of.looked()).toBe(1);
    expect(of.malformed).toEqual([expect.stringMatching(/^100 cidr .{1,160}$/)]);
  });

  it('that exceed the bound of a reply twice count as absent', async () => {
    const of = leases({ [SET]: new OversizedReply(1024) });
    of.leases.follow(new Set([100]));
    await expect(of.leases.refresh()).rejects.toThrow('larger than 1024 bytes');
    expect(of.leases.current).toBe(false);
    await of.leases.refresh();
    expect(of.leases.current).toBe(true);
    expect(of.malformed).toEqual([`100 size ${SET} has members too long`]);
  });

  it('that change all the time do not delay the first answer for ever', async () => {
    const sets = { [SET]: ['10.20.2.0/24'], [OTHER]: ['10.20.3.0/24'] };
    let rounds = 0;
    const of = leases(sets, () => {
      // Somebody adds a member of the one VNI whenever it has been read.
      if (rounds++ < 50) of.leases.invalidate(100);
      return VALUE;
    });
    of.leases.follow(new Set([100, 200]));
    const reading = of.leases.refresh();
    while (of.complete() === 0) await Promise.resolve();
    expect(of.leases.current).toBe(true);
    expect(of.leases.idle).toBe(false);
    await reading;
    of.leases.invalidate();
    expect(of.leases.current).toBe(false);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatIp4, formatIp6 } from '../../../src/base/address.ts';
import { LeaseTable } from '../../../src/directory/leases.ts';
import { PrefixTable } from '../../../src/base/prefix-table.ts';
import { formatPrefix, hasHostBits, parseCidr, type Prefix } from '../../../src/base/prefix.ts';
import { vtepAllowance } from '../../../src/directory/vtep-allow.ts';

/** Few distinct bits, so that prefixes nest and addresses hit them. */
const group = fc.constantFrom(0, 1, 0x8000, 0xffff, 0xff00);
const words = (family: 4 | 6) =>
  fc.array(group, { minLength: family === 4 ? 2 : 8, maxLength: family === 4 ? 2 : 8 });
const prefix = fc.constantFrom<4 | 6>(4, 6).chain((family) =>
  fc
    .tuple(words(family), fc.integer({ min: 0, max: family === 4 ? 32 : 128 }))
    .map(([groups, length]): Prefix => {
      const masked = groups.map(
        (g, i) => g & ~(0xffff >> Math.min(16, Math.max(0, length - i * 16))) & 0xffff,
      );
      return { family, groups: masked, length };
    }),
);
const address = fc.constantFrom<4 | 6>(4, 6).chain(words);
const text = (g: number[]) => (g.length === 2 ? formatIp4(((g[0] ?? 0) << 16) | (g[1] ?? 0)) : formatIp6(g));
const bits = (g: number[]) => g.map((x) => x.toString(2).padStart(16, '0')).join('');

/** Asks every prefix, as slowly as can be. */
function naive(prefixes: Prefix[], ip: number[], accept: (p: Prefix) => boolean): Prefix | undefined {
  return prefixes
    .filter(
      (p) =>
        p.groups.length === ip.length && bits(ip).startsWith(bits(p.groups).slice(0, p.length)) && accept(p),
    )
    .sort((a, b) => b.length - a.length)[0];
}

describe('the longest prefix', () => {
  it('is the same as that of a linear search', () => {
    fc.assert(
      fc.property(
        fc.array(prefix, { maxLength: 30 }),
        fc.array(address, { maxLength: 20 }),
        fc.nat(3),
        (prefixes, ips, odd) => {
          const table = new PrefixTable<Prefix>();
          for (const p of prefixes) table.set(p, p);
          const accept = (p: Prefix) => odd === 0 || p.length % (odd + 1) === 0;
          for (const ip of ips) {
            const found = table.longest(text(ip), accept);
            expect(found && formatPrefix(found)).toEqual(
              ((p) => p && formatPrefix(p))(naive(prefixes, ip, accept)),
            );
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('is not found for invalid addresses', () => {
    const table = new PrefixTable<string>();
    table.set({ family: 4, groups: [0, 0], length: 0 }, 'all');
    expect(table.longest('1.2.3.4')).toBe('all');
    expect(table.longest('2001:db8::1')).toBeUndefined();
    expect(table.longest('x')).toBeUndefined();
  });

  it('is the same after parsing and writing, and host bits are detected', () => {
    fc.assert(
      fc.property(prefix, (p) => {
        expect(parseCidr(formatPrefix(p))).toEqual(p);
        expect(hasHostBits(p)).toBe(false);
        if (p.length < p.groups.length * 16) {
          expect(hasHostBits({ ...p, groups: p.groups.with(-1, (p.groups.at(-1) ?? 0) | 1) })).toBe(true);
        }
      }),
    );
  });
});

describe('leases', () => {
  const near = '02:f0:00:00:00:02 10.99.0.2';
  const far = '02:f0:00:00:00:03 10.99.0.3';
  const six = '02:f0:00:00:00:02 2001:db8::2';
  const table = new LeaseTable(
    new Map([
      ['10.20.0.0/16', far],
      ['10.20.2.0/24', near],
      ['fd00::/8', six],
    ]),
  );

  it('answer by longest prefix', () => {
    expect(table.covering('10.20.2.7')).toEqual({ cidr: '10.20.2.0/24', value: near });
    expect(table.covering('10.20.3.7')?.value).toBe(far);
    expect(table.covering('10.21.0.1')).toBeUndefined();
    expect(table.covering('fd00::7')?.value).toBe(six);
  });

  it('ignore a lease that is not accepted', () => {
    expect(table.covering('10.20.2.7', (lease) => lease.value !== near)?.value).toBe(far);
    expect(table.withMac('02:f0:00:00:00:02', (lease) => lease.value === six)?.cidr).toBe('fd00::/8');
  });

  it('answer by MAC, on every host the same', () => {
    expect(table.withMac('02:f0:00:00:00:03')?.cidr).toBe('10.20.0.0/16');
    expect(table.withMac('02:f0:00:00:00:02')?.cidr).toBe('10.20.2.0/24');
    const reversed = new LeaseTable(
      new Map(
        table
          .all()
          .map(({ cidr, value }) => [cidr, value] as const)
          .reverse(),
      ),
    );
    expect(reversed.withMac('02:f0:00:00:00:02')?.cidr).toBe('10.20.2.0/24');
    expect(table.withMac('02:f0:00:00:00:04')).toBeUndefined();
  });

  it('report whether a new read differs', () => {
    const same = new Map(table.all().map(({ cidr, value }) => [cidr, value]));
    expect(table.says(same)).toBe(true);
    expect(table.says(new Map([...same, ['10.20.2.0/24', far]]))).toBe(false);
    expect(table.says(new Map([...same].slice(1)))).toBe(false);
  });
});

describe('--vtep-allow', () => {
  it.each(['10.0.0.0/33', '10.0.0.1/24', 'x', '', '10.0.0.0/ 8'])('refuses %j', (cidr) => {
    expect(() => vtepAllowance([cidr])).toThrow(JSON.stringify(cidr));
  });
  it('allows everything by default', () => {
    expect(vtepAllowance([])('192.0.2.1')).toBe(true);
  });
});

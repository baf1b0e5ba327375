import { describe, expect, it } from 'vitest';
import { countOf, freePrefixes, isPrefixOf, prefixAt } from '../../../src/directory/prefix-choice.ts';

const IPV4 = { subnet: '10.20.0.0/16', leaseLength: 24 };
const IPV6 = { subnet: 'fd20:0:0:fffe::/63', leaseLength: 64 };

describe('the prefixes of a network', () => {
  it('are counted and named', () => {
    expect([countOf(IPV4), prefixAt(IPV4, 0), prefixAt(IPV4, 255)]).toEqual([
      256,
      '10.20.0.0/24',
      '10.20.255.0/24',
    ]);
    expect([countOf(IPV6), prefixAt(IPV6, 1)]).toEqual([2, 'fd20:0:0:ffff::/64']);
    expect(prefixAt({ subnet: '10.0.0.0/9', leaseLength: 29 }, 2 ** 20 - 1)).toBe('10.127.255.248/29');
  });

  it('are distinguished from other prefixes', () => {
    const known = ['10.20.7.0/24', '10.21.7.0/24', '10.20.7.0/25', 'fd20::/64', 'nonsense'];
    expect(known.map((cidr) => isPrefixOf(IPV4, cidr))).toEqual([true, false, false, false, false]);
  });
});

describe('the candidates of a host', () => {
  const first = (id: string, taken: string[] = []): string | undefined =>
    freePrefixes(IPV4, id, new Set(taken))[0];

  it('are the same for one id, and begin at different places for similar ids', () => {
    const ids = Array.from({ length: 50 }, (_, at) => `10.99.0.${at + 1}`);
    expect(ids.map((id) => first(id))).toEqual(ids.map((id) => first(id)));
    // By chance alone 50 of 256 fall on 45 places.
    expect(new Set(ids.map((id) => first(id))).size).toBeGreaterThan(38);
  });

  it('wrap around, without taken prefixes', () => {
    const all = Array.from({ length: 256 }, (_, at) => prefixAt(IPV4, at));
    const begin = first('host-a') ?? '';
    const left = new Set([all[0], all[255]]);
    const candidates = freePrefixes(IPV4, 'host-a', new Set(all.filter((cidr) => !left.has(cidr))));
    expect(new Set(candidates)).toEqual(left);
    expect(first('host-a', [begin])).toBe(all[(all.indexOf(begin) + 1) % 256]);
    expect(freePrefixes(IPV4, 'host-a', new Set(all))).toEqual([]);
    expect(freePrefixes(IPV4, 'host-a', new Set())).toHaveLength(64);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DesiredTables, type Source } from '../../../src/model/desired-tables.ts';
import { ip, mac, vtep } from '../fake/world.ts';

const number = fc.integer({ min: 1, max: 5 });
const kind = fc.constantFrom<Source['kind']>('ip', 'mac', 'lease', 'adopted');
const step = fc.oneof(
  fc.record({ type: fc.constant('setNeighbour' as const), n: number, m: number }),
  fc.record({ type: fc.constant('deleteNeighbour' as const), n: number }),
  fc.record({ type: fc.constant('setFdb' as const), m: number, kind, n: number }),
  fc.record({ type: fc.constant('deleteFdb' as const), m: number }),
);

describe('HeldTables', () => {
  it('has the same users and sources as a model without indexes', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const tables = new DesiredTables();
        const neighbours = new Map<string, string>();
        const sources = new Map<string, Source>();
        for (const one of steps) {
          const at = { checkedAt: 0, usedAt: 0 };
          if (one.type === 'setNeighbour') {
            const source = { kind: 'ip' as const, name: ip(one.n) };
            tables.setNeighbour({ ip: ip(one.n), mac: mac(one.m), source, ...at });
            neighbours.delete(ip(one.n));
            neighbours.set(ip(one.n), mac(one.m));
          } else if (one.type === 'deleteNeighbour') {
            tables.deleteNeighbour(ip(one.n));
            neighbours.delete(ip(one.n));
          } else if (one.type === 'setFdb') {
            const source = { kind: one.kind, name: ip(one.n) };
            tables.setFdb({ mac: mac(one.m), vtep: vtep(2), router: false, source, ...at });
            sources.set(mac(one.m), source);
          } else {
            tables.deleteFdb(mac(one.m));
            sources.delete(mac(one.m));
          }
          expect([...tables.neighbours.keys()]).toEqual([...neighbours.keys()]);
          for (let n = 1; n <= 5; n++) {
            const users = [...neighbours].filter(([, its]) => its === mac(n)).map(([address]) => address);
            expect([...tables.users(mac(n))].sort()).toEqual(users.sort());
            expect(tables.userCount(mac(n))).toBe(users.length);
            const from = [...sources].filter(([, { kind, name }]) => kind === 'ip' && name === ip(n));
            const found = tables.fdbFrom(ip(n));
            // Of several entries from one record it names one; the others wait for their users to be read.
            if (from.length === 0) expect(found).toBeUndefined();
            if (found !== undefined) expect(from.map(([its]) => its)).toContain(found);
          }
        }
      }),
    );
  });

  it('keeps neighbours in the order they were checked in', () => {
    const tables = new DesiredTables();
    const set = (n: number): void => {
      tables.setNeighbour({
        ip: ip(n),
        mac: mac(n),
        source: { kind: 'ip', name: ip(n) },
        checkedAt: 0,
        usedAt: 0,
      });
    };
    for (const n of [1, 2, 3, 1]) set(n);
    expect([...tables.neighbours.keys()]).toEqual([ip(2), ip(3), ip(1)]);
  });

  it('remembers the last addresses of a MAC after their entries, newest first', () => {
    const tables = new DesiredTables();
    for (const n of [1, 2, 3, 4, 5, 2]) tables.remember(mac(1), ip(n));
    expect(tables.addressesOf(mac(1))).toEqual([ip(2), ip(5), ip(4), ip(3)]);
    expect(tables.addressesOf(mac(2))).toEqual([]);
  });

  it('ends a stale probe with the neighbour, not at a check of its record', () => {
    const tables = new DesiredTables();
    const neighbour = { ip: ip(1), mac: mac(1), source: { kind: 'ip' as const, name: ip(1) } };
    tables.setNeighbour({ ...neighbour, checkedAt: 0, usedAt: 0 });
    tables.staleProbes.set(ip(1), 5);
    tables.setNeighbour({ ...neighbour, checkedAt: 9, usedAt: 0 });
    expect(tables.staleProbes.get(ip(1))).toBe(5);
    tables.deleteNeighbour(ip(1));
    expect(tables.staleProbes.size).toBe(0);
  });
});

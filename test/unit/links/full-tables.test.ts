import { describe, expect, test } from 'vitest';
import type { Namespace } from '../../../src/kernel/kernel.ts';
import { FullTables } from '../../../src/links/full-tables.ts';
import { FakeNamespace } from '../fake/kernel.ts';

const at = (fulls: number) => ({ entries: 1, thresholds: [128, 512, 1024] as const, fulls });

function watched() {
  const namespace = new FakeNamespace(() => 0);
  const told: [string, number, number][] = [];
  let asked: Namespace | undefined = namespace;
  const tables = new FullTables(() => asked, {
    tableFull: (...what) => {
      told.push(what);
    },
  });
  return {
    namespace,
    told,
    tick: (of: Namespace = namespace): void => {
      asked = of;
      tables.tick();
    },
    withoutAny: (): void => {
      asked = undefined;
      tables.tick();
    },
  };
}

describe('a full neighbour table', () => {
  test('refusals before the start are not reported', () => {
    const { namespace, told, tick } = watched();
    namespace.neighbourTables.set(4, at(1224));
    tick();
    tick();
    expect(told).toEqual([]);
  });

  test('later refusals are reported once, by family', () => {
    const { namespace, told, tick } = watched();
    for (const family of [4, 6]) namespace.neighbourTables.set(family, at(5));
    tick();
    namespace.neighbourTables.set(4, at(12));
    tick();
    tick();
    expect(told).toEqual([['ipv4', 7, 1024]]);
    namespace.neighbourTables.set(6, at(6));
    tick();
    expect(told.slice(1)).toEqual([['ipv6', 1, 1024]]);
  });

  test('a missing or failing namespace does not stop the reports', () => {
    const { namespace, told, tick, withoutAny } = watched();
    namespace.neighbourTables.set(4, at(0));
    tick();
    const gone = Object.assign(Object.create(namespace) as Namespace, {
      getNeighbourTable: () => {
        throw new Error('gone');
      },
    });
    expect(() => {
      tick(gone);
    }).toThrow('gone');
    withoutAny();
    namespace.neighbourTables.set(4, at(1));
    tick();
    expect(told).toEqual([['ipv4', 1, 1024]]);
  });
});

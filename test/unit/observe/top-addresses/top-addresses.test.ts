import { addressesOf } from '../../../../src/observe/top-addresses/device-addresses.ts';
import type { MissBatch } from '../../../../src/model/question.ts';
import { describe, expect, test } from 'vitest';
import { Subject } from 'rxjs';
import { TopAddresses } from '../../../../src/observe/top-addresses/top-addresses.ts';
import { hottest, longestUnknown } from '../../../../src/observe/top-addresses/report.ts';
import { resolveMisses } from '../../../../src/resolver/pipeline.ts';
import type { ServedDevice } from '../../../../src/model/device.ts';
import type { Miss } from '../../../../src/base/vocabulary.ts';
import { asker, l2, l3 } from '../../resolver/asking.ts';
import { VNI, World, ip, mac, turns, vtep, watch } from '../../fake/world.ts';

const SCANNER = 9;

/** Misses on their way to the directory, and what is asked for noted beside, as in the daemon. */
class Wanting extends World {
  readonly served: ServedDevice = this.device();
  readonly topAddresses = new TopAddresses(
    () => this.devices,
    this.now,
    () => 0,
  );
  readonly #batches = new Subject<MissBatch>();

  constructor() {
    super();
    watch(resolveMisses(this.#batches, this.deps), (settled) => {
      this.topAddresses.settled(settled);
    });
  }

  async miss(...misses: Miss[]): Promise<void> {
    const batch = { misses, deviceOf: this.deviceOf };
    this.topAddresses.onMisses(batch);
    this.#batches.next(batch);
    await turns();
  }

  seconds(count: number): void {
    for (let n = 0; n < count; n++) {
      this.time += 1_000;
      this.topAddresses.tick();
    }
  }

  get hot() {
    return hottest(this.devices, this.time);
  }

  get unknown() {
    return longestUnknown(this.devices, this.time);
  }
}

const by = (port: number, n: number): Miss => l3(n, { asker: { ...asker(1), port } });

describe('hottest', () => {
  test('counts every miss, also repeated ones and those without a lookup', async () => {
    const world = new Wanting();
    world.directory.set(VNI, 'ip', ip(1), `${mac(1)} ${vtep(2)}`);
    await world.miss(l3(1, { count: 3 }), l3(1), l3(2), l2(3));
    await world.miss(l3(2));
    expect(world.hot.map(({ address, layer, asked, port }) => [address, layer, asked, port])).toEqual([
      [ip(1), 'l3', 4, 'port6'],
      [ip(2), 'l3', 2, 'port6'],
      [mac(3), 'l2', 1, undefined],
    ]);
    expect(addressesOf(world.served).misses).toBe(7);
  });

  test('has the addresses of now, not those of an hour ago', async () => {
    const world = new Wanting();
    await world.miss(l3(1, { count: 1_000 }));
    world.seconds(300);
    await world.miss(l3(2, { count: 100 }));
    world.seconds(5);
    expect(world.hot.map(({ address }) => address)).toEqual([ip(2), ip(1)]);
  });

  test('has a rate per second', async () => {
    const world = new Wanting();
    for (let n = 0; n < 40; n++) {
      await world.miss(l3(1, { count: 10 }));
      world.seconds(1);
    }
    const [first] = world.hot;
    expect(first?.firstSeconds).toBe(40);
    expect(first?.perSecond).toBeGreaterThan(9.5);
    expect(first?.perSecond).toBeLessThan(10.5);
  });

  test('is estimated from a sample in a storm', async () => {
    const world = new Wanting();
    const storm: Miss[] = [];
    for (let n = 0; n < 5_000; n++) storm.push(by(SCANNER, 1_000 + n), l3(1));
    await world.miss(l3(1));
    await world.miss(...storm.slice(1));
    const [first] = world.hot;
    expect(first?.address).toBe(ip(1));
    expect(first?.asked).toBeGreaterThan(4_000);
    expect(first?.asked).toBeLessThan(6_000);
    // A single one of them is no more than that.
    expect(world.hot[1]?.asked).toBe(1);
    expect(addressesOf(world.served).misses).toBeGreaterThan(9_000);
    expect(addressesOf(world.served).misses).toBeLessThan(11_000);
  });
});

describe('longest unknown', () => {
  test('has repeatedly asked addresses without a record: since when, how often, by which port', async () => {
    const world = new Wanting();
    await world.miss(l3(1), l3(2));
    world.seconds(3);
    await world.miss(by(SCANNER, 1));
    world.seconds(7);
    expect(world.unknown).toEqual([
      {
        address: ip(1),
        layer: 'l3',
        device: 'vx',
        namespace: 'test',
        vni: VNI,
        port: `port${SCANNER}`,
        asked: 2,
        perSecond: 0.2,
        firstSeconds: 10,
        lastSeconds: 7,
      },
    ]);
  });

  test('has neither addresses with a record nor link-local ones', async () => {
    const world = new Wanting();
    world.directory.set(VNI, 'ip', ip(1), `${mac(1)} ${vtep(2)}`);
    const local = l3(9, { address: 'fe80::9' });
    for (let n = 0; n < 3; n++) {
      await world.miss(l3(1), local);
      world.seconds(6);
    }
    expect(world.unknown).toEqual([]);
  });

  test('drops an address when it is answered', async () => {
    const world = new Wanting();
    await world.miss(l3(1));
    await world.miss(l3(1));
    expect(world.unknown).toHaveLength(1);
    world.directory.set(VNI, 'ip', ip(1), `${mac(1)} ${vtep(2)}`);
    world.seconds(6);
    await world.miss(l3(1));
    expect(world.unknown).toEqual([]);
  });

  test('drops an address at the report of a changed record, without another miss', async () => {
    const world = new Wanting();
    await world.miss(l3(1), l3(2));
    await world.miss(l3(1), l3(2));
    const key = (n: number, vni = VNI) => ({ vni, kind: 'ip' as const, address: ip(n) });
    world.topAddresses.changed({ type: 'records', keys: [key(1), key(2, VNI + 1)] });
    expect(world.unknown.map(({ address }) => address)).toEqual([ip(2)]);
  });

  test('drops an address without further misses', async () => {
    const world = new Wanting();
    await world.miss(l3(1));
    await world.miss(l3(1));
    world.seconds(599);
    expect(world.unknown).toHaveLength(1);
    world.seconds(2);
    expect(world.unknown).toEqual([]);
  });

  test('one port with many unresolved addresses does not hide those of others', async () => {
    const world = new Wanting();
    for (let round = 0; round < 2; round++) {
      for (let n = 0; n < 60; n++) await world.miss(by(SCANNER, 100 + n));
      world.seconds(1);
    }
    await world.miss(by(10, 1));
    await world.miss(by(10, 1));
    await world.miss(by(11, 2));
    await world.miss(by(11, 2));
    expect(world.unknown).toHaveLength(20);
    expect(world.unknown.slice(-2).map(({ address }) => address)).toEqual([ip(1), ip(2)]);
  });
});

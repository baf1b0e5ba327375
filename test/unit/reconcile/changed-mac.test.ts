import { beforeEach, describe, expect, it } from 'vitest';
import type { ServedDevice } from '../../../src/model/device.ts';
import { KnownMacs } from '../../../src/model/known-macs.ts';
import { NUD_PERMANENT, NUD_STALE } from '../../../src/kernel/netlink.ts';
import { BRIDGE, GUEST, HERE, VNI, VXLAN, ip, mac, turns, vtep, vxlanLink } from '../fake/world.ts';
import { ReconcileWorld, ipKey } from './reconciling.ts';

let world: ReconcileWorld;
let device: ServedDevice;

const announced = (): (readonly [string, string])[] =>
  world.kernel.announced.map((one) => [one.ip, one.lladdr] as const);
/** A record that somebody writes, and word of it. */
async function say(n: number, lladdr: string, behind = vtep(2)): Promise<void> {
  world.directory.set(VNI, 'ip', ip(n), `${lladdr} ${behind}`);
  await world.changed(ipKey(n));
}
async function unsay(...numbers: number[]): Promise<void> {
  for (const n of numbers) world.directory.delete(VNI, 'ip', ip(n));
  await world.changed(...numbers.map(ipKey));
  await world.settled();
}
const asks = (n: number, lladdr: string, port = GUEST): void => {
  const asker = { port, lladdr, ip: ip(n) };
  const miss = { layer: 'l3' as const, ifindex: VXLAN, address: ip(99), state: NUD_STALE, count: 1, asker };
  world.reconciler.onMisses({ misses: [miss], deviceOf: world.deviceOf });
};

beforeEach(() => {
  world = new ReconcileWorld();
  device = world.device();
});

describe('an address with a new MAC', () => {
  it.each<[string, () => Promise<void> | void]>([
    ['is held', () => undefined],
    ['was deleted before', () => unsay(1)],
    [
      'went for want of room',
      () => {
        device.tables.deleteNeighbour(ip(1));
      },
    ],
    [
      'was held on a device that was made again',
      async () => {
        world.devices.splice(0);
        world.reconciler.forget(device);
        device = world.device();
        world.reconciler.begin(device, Promise.resolve());
        await turns();
      },
    ],
  ])('is announced if it %s', async (_, before) => {
    world.hold(device, 1);
    await before();
    await say(1, mac(9));
    expect(announced()).toEqual([[ip(1), mac(9)]]);
  });

  it('is announced if a guest here had it, but not to the port of that guest', async () => {
    asks(1, mac(1), 77);
    await say(1, mac(9));
    expect(announced()).toEqual([[ip(1), mac(9)]]);
    asks(2, mac(2));
    await say(2, mac(9));
    expect(announced()).toHaveLength(1);
  });

  it.each([
    ['the old', 1],
    ['the new', 9],
  ])('is not announced to the port behind which the bridge has %s MAC', async (_, n) => {
    world.hold(device, 1);
    world.kernel.putBridgeFdb(BRIDGE, GUEST, mac(n));
    await unsay(1);
    await say(1, mac(9));
    expect(announced()).toEqual([]);
  });

  it('is announced to a port whose own MAC the bridge has: a permanent row is no guest', async () => {
    world.hold(device, 1);
    world.kernel.putBridgeFdb(BRIDGE, GUEST, mac(1), 0, NUD_PERMANENT);
    await unsay(1);
    await say(1, mac(9));
    expect(announced()).toEqual([[ip(1), mac(9)]]);
  });

  it('is announced with the answer to another guest, if the report of the change was lost', async () => {
    world.hold(device, 1);
    await unsay(1);
    world.endpoint(device, ip(1), mac(9), vtep(2));
    await turns();
    expect(announced()).toEqual([[ip(1), mac(9)]]);
  });

  it('is announced after a gap of the feed', async () => {
    world.hold(device, 1);
    await unsay(1);
    world.directory.set(VNI, 'ip', ip(1), `${mac(9)} ${vtep(2)}`);
    await world.gap();
    expect(announced()).toEqual([[ip(1), mac(9)]]);
  });

  it('is not announced if it is on this host, an interface has it, or it is new', async () => {
    world.hold(device, 2);
    await unsay(1, 2);
    await say(1, mac(9), HERE);
    world.assigned.add(ip(2));
    await say(2, mac(9));
    await say(3, mac(9));
    expect(announced()).toEqual([]);
  });

  it('is not announced if the record is unchanged', async () => {
    world.hold(device, 1);
    await unsay(1);
    await say(1, mac(1));
    expect(announced()).toEqual([]);
  });

  it('is not announced on a device without proxy', async () => {
    world = new ReconcileWorld();
    device = world.device(vxlanLink(VXLAN, true, { proxy: false }));
    world.hold(device, 1);
    await say(1, mac(9));
    expect(announced()).toEqual([]);
  });
});

it('a hundred addresses are announced in a second, the others later with their MAC of that time', async () => {
  world.hold(device, 150);
  const numbers = Array.from({ length: 150 }, (_, index) => index + 1);
  for (const n of numbers) world.directory.set(VNI, 'ip', ip(n), `${mac(500 + n)} ${vtep(2)}`);
  await world.changed(...numbers.map(ipKey));
  expect(announced()).toHaveLength(100);
  await say(150, mac(900));
  expect(announced()).toHaveLength(100);
  world.time += 1_001;
  await expect.poll(() => announced().length).toBe(150);
  expect(announced()).toContainEqual([ip(150), mac(900)]);
  expect(announced()).not.toContainEqual([ip(150), mac(650)]);
});

it('records that no guest here may know are read up to a thousand a second, others are counted', async () => {
  const numbers = Array.from({ length: 1_200 }, (_, index) => index + 1);
  await world.changed(...numbers.map(ipKey));
  expect(world.counters.overflows.bridge_entries).toBe(200);
});

describe('the MACs that guests may know', () => {
  it('are forgotten in the order of their last use', () => {
    const known = new KnownMacs(2);
    for (const n of [1, 2]) known.note(ip(n), mac(n));
    known.note(ip(1), mac(1));
    known.note(ip(3), mac(3));
    expect([...known.all()]).toEqual([ip(1), ip(3)]);
  });

  it('are not forgotten because one guest asks with thousands of addresses', () => {
    const known = new KnownMacs(5_000);
    known.note(ip(1), mac(1));
    for (let n = 2; n < 60_000; n++) known.heard(ip(n), mac(2), GUEST);
    expect(known.of(ip(1))).toEqual({ mac: mac(1), port: undefined });
    expect(known.size).toBeLessThan(2_000);
  });
});

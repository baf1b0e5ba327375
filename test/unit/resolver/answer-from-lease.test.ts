/** Which questions a lease answers without a read of the directory. */
import type { MissBatch } from '../../../src/model/question.ts';
import { Subject, type Subscription } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { resolveMisses } from '../../../src/resolver/pipeline.ts';
import type { ServedDevice } from '../../../src/model/device.ts';
import { NUD_STALE } from '../../../src/kernel/netlink.ts';
import { ROUTED, VNI, VXLAN, World, ip, mac, turns, vtep, vxlanLink, watch } from '../fake/world.ts';

let world: World;
let misses$: Subject<MissBatch>;
let running: Subscription;

beforeEach(() => {
  world = new World();
  misses$ = new Subject();
  running = watch(resolveMisses(misses$, world.deps));
  world.directory.lease(VNI, '20.0.0.0/16', `${mac(77)} ${vtep(2)}`);
  world.directory.complete = true;
});
afterEach(() => {
  running.unsubscribe();
});

const ask = (device: ServedDevice, address: string): void => {
  const miss = { layer: 'l3' as const, ifindex: device.ifindex, address, state: NUD_STALE, count: 1 };
  misses$.next({ misses: [miss], deviceOf: world.deviceOf });
};

describe.each([
  ['bridged', VXLAN, true],
  ['routed', ROUTED, false],
])('a lease, %s', (_, ifindex, bridged) => {
  it('answers at once if the directory is known to have no record of the address', () => {
    const device = world.device(vxlanLink(ifindex, bridged));
    ask(device, ip(1));
    expect(world.neighbours(device)).toEqual({ [ip(1)]: mac(77) });
    expect(world.directory.reads).toEqual([]);
    expect(world.counters.resolutions.l3.resolved).toBe(1);
    expect(world.unaccounted()).toBe(0);
  });

  it('waits for the directory if there is a record, which takes precedence', async () => {
    const device = world.device(vxlanLink(ifindex, bridged));
    world.directory.set(VNI, 'ip', ip(1), `${mac(1)} ${vtep(3)}`);
    ask(device, ip(1));
    await turns();
    expect(world.neighbours(device)).toEqual({ [ip(1)]: mac(1) });
  });

  it('waits for the directory if it is unknown whether there is a record', async () => {
    const device = world.device(vxlanLink(ifindex, bridged));
    world.directory.complete = false;
    ask(device, ip(1));
    expect(world.neighbours(device)).toEqual({});
    await turns();
    expect(world.neighbours(device)).toEqual({ [ip(1)]: mac(77) });
    expect(world.directory.reads).toHaveLength(1);
  });
});

it('reads the directory for an address that no lease covers: a record may be on its way', async () => {
  const device = world.device();
  ask(device, '20.9.0.1');
  await turns();
  expect(world.directory.reads).toHaveLength(1);
});

import { beforeEach, describe, expect, it } from 'vitest';
import { OwnLeases } from '../../../src/reconcile/own-leases.ts';
import type { ServedDevice } from '../../../src/model/device.ts';
import { HERE, ROUTED, VNI, World, vtep, vxlanLink } from '../fake/world.ts';

let world: World;
let device: ServedDevice;
let leases: OwnLeases;

/** What is said a moment after something changed. */
function said(): string[] {
  leases.stale();
  leases.look([device]);
  world.lines.length = 0;
  world.time += 1_000;
  leases.look([device]);
  return world.lines.map((line) => (JSON.parse(line) as { msg: string }).msg);
}

beforeEach(() => {
  world = new World();
  device = world.device(vxlanLink(ROUTED, false));
  leases = new OwnLeases(world.deps, world.log);
});

describe('a lease', () => {
  it('of this host is reported once', () => {
    world.directory.lease(VNI, '10.20.1.0/24', `${device.link.lladdr} ${HERE}`);
    world.assigned.add('10.20.1.254');
    expect(said()).toEqual(["vr@test: lease 10.20.1.0/24 is this host's own, so it gets no entries here"]);
    expect(said()).toEqual([]);
    world.directory.lease(VNI, '10.20.1.0/24', undefined);
    expect(said()).toEqual([]);
    world.directory.lease(VNI, '10.20.1.0/24', `${device.link.lladdr} ${HERE}`);
    expect(said()).toHaveLength(1);
  });

  it('of this host with another MAC than its routing device is a conflict', () => {
    world.directory.lease(VNI, '10.20.1.0/24', `02:00:00:00:00:99 ${HERE}`);
    expect(said().join()).toMatch(/lease_mac.*02:00:00:00:00:99.*what others send is dropped/);
    expect(world.counters.conflicts.lease_mac).toBe(1);
  });

  it('of another host that covers an address of this host is a conflict', () => {
    world.directory.lease(VNI, '10.20.0.0/16', `02:00:00:00:00:02 ${vtep(2)}`);
    world.directory.lease(VNI, '10.20.1.0/24', `${device.link.lladdr} ${HERE}`);
    world.assigned.add('10.20.1.254');
    expect(said().join()).not.toContain('lease_covers_host');
    world.assigned.add('10.20.2.1').add('127.0.0.1').add('fe80::1');
    expect(said().join()).toMatch(/lease_covers_host.*10\.20\.0\.0\/16 of 10\.99\.0\.2 covers 10\.20\.2\.1/);
    expect(world.counters.conflicts.lease_covers_host).toBe(1);
  });

  it('of another host is not reported', () => {
    world.directory.lease(VNI, '10.20.2.0/24', `02:00:00:00:00:02 ${vtep(2)}`);
    world.directory.lease(VNI, '10.20.1.0/24', `02:00:00:00:00:02 fd99::1`);
    world.assigned.add('10.20.1.254');
    expect(said()).toEqual([]);
  });
});

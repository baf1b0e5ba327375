import { beforeEach, describe, expect, it } from 'vitest';
import { Preload } from '../../../src/proactive/preload.ts';
import type { RecordKey } from '../../../src/directory/directory.ts';
import type { ServedDevice } from '../../../src/model/device.ts';
import { HERE, ROUTED, VNI, VXLAN, ip, mac, turns, vtep, vxlanLink, watch } from '../fake/world.ts';
import { ReconcileWorld, ipKey, macKey } from '../reconcile/reconciling.ts';

class Written extends ReconcileWorld {
  readonly preload = new Preload(
    this.deps,
    () => this.devices,
    this.log,
    (change) => {
      this.reconciler.onChange(change);
    },
  );

  constructor() {
    super();
    watch(this.preload.work$());
  }

  async tick(): Promise<void> {
    this.preload.tick();
    await turns(20);
  }

  /** Word of changes, to everybody who is told in the daemon. */
  override async changed(...keys: RecordKey[]): Promise<void> {
    this.reconciler.onChange({ type: 'records', keys });
    this.preload.onChange({ type: 'records', keys });
    await turns(20);
  }

  async leasesChanged(): Promise<void> {
    this.reconciler.onChange({ type: 'leases', vni: VNI });
    this.preload.onChange({ type: 'leases', vni: VNI });
    await turns(20);
  }
}

let world: Written;
let device: ServedDevice;
beforeEach(() => {
  world = new Written();
});

const endpoint = (n: number, behind = vtep(2)): void => {
  world.directory.set(VNI, 'ip', ip(n), `${mac(n)} ${behind}`);
};

describe('preload', () => {
  beforeEach(() => {
    device = world.device(vxlanLink(VXLAN, true), 'preload');
  });

  it('writes every endpoint of other hosts, in batches, and no miss is counted', async () => {
    for (let n = 1; n <= 600; n++) endpoint(n);
    endpoint(601, HERE);
    world.directory.set(VNI, 'mac', mac(700), vtep(3));
    world.directory.set(VNI, 'mac', mac(701), HERE);
    world.directory.set(VNI + 1, 'ip', ip(800), `${mac(800)} ${vtep(2)}`);
    await world.tick();
    await turns(40);
    expect(device.preload).toBe(true);
    expect(device.tables.neighbours.size).toBe(600);
    expect(Object.keys(world.fdb(device))).toHaveLength(601);
    expect(world.fdb(device)[mac(700)]).toBe(vtep(3));
    expect(world.unaccounted()).toBe(0);
    expect(world.counters.misses).toEqual({ l2: 0, l3: 0 });
  });

  it.each([true, false])(
    'lets the mac: record decide, read before or after the ip: record (%s)',
    async (first) => {
      if (first) world.directory.set(VNI, 'mac', mac(1), vtep(3));
      endpoint(1);
      if (!first) world.directory.set(VNI, 'mac', mac(1), vtep(3));
      await world.tick();
      expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(3) });
    },
  );

  it('waits until adopted entries are compared, and tries again if the directory does not answer', async () => {
    endpoint(1);
    device.verified = false;
    await world.tick();
    expect(world.kernel.written).toEqual([]);
    device.verified = true;
    world.directory.fail('gone');
    await world.tick();
    expect(device.preload).toBe(false);
    world.directory.recover();
    await world.tick();
    expect(world.neighbours(device)).toEqual({ [ip(1)]: mac(1) });
  });

  it('writes a new record at once, and leaves held entries to the reconciler', async () => {
    endpoint(1);
    await world.tick();
    endpoint(2);
    endpoint(1, vtep(3));
    world.directory.set(VNI, 'mac', mac(9), vtep(4));
    await world.changed(ipKey(1), ipKey(2), macKey(9));
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(3), [mac(2)]: vtep(2), [mac(9)]: vtep(4) });
    world.directory.delete(VNI, 'ip', ip(2));
    await world.changed(ipKey(2));
    expect(world.neighbours(device)).toEqual({ [ip(1)]: mac(1) });
  });

  it('removes an entry whose record was deleted during the write', async () => {
    await world.tick();
    endpoint(1);
    world.directory.hold();
    await world.changed(ipKey(1));
    world.directory.delete(VNI, 'ip', ip(1));
    await world.changed(ipKey(1));
    world.directory.release();
    await turns(40);
    expect(world.neighbours(device)).toEqual({});
  });

  it('reads everything again after a gap, and no entry ever becomes idle', async () => {
    endpoint(1);
    await world.tick();
    endpoint(2);
    world.preload.onChange({ type: 'gap' });
    await turns(20);
    expect(Object.keys(world.neighbours(device))).toEqual([ip(1), ip(2)]);
    world.time += 100 * 3_600_000;
    await world.audit();
    expect(Object.keys(world.neighbours(device))).toEqual([ip(1), ip(2)]);
  });
});

describe('routes', () => {
  const NET = '10.20.2.0/24';
  const GATEWAY = '10.20.2.0';
  const routes = (): Record<string, string | undefined> =>
    Object.fromEntries(world.kernel.routeTable.map(({ cidr, gateway }) => [cidr, gateway]));
  const lease = (cidr: string, n: number, behind = vtep(2)): void => {
    world.directory.lease(VNI, cidr, `${mac(n)} ${behind}`);
  };

  beforeEach(() => {
    device = world.device(vxlanLink(ROUTED, false), 'routes');
  });

  it('writes FDB entry, neighbour and route for the leases of other hosts', async () => {
    lease(NET, 2);
    lease('10.20.1.0/24', 1, HERE);
    lease('fd20:2::/64', 2);
    await world.tick();
    expect(routes()).toEqual({ [NET]: GATEWAY, 'fd20:2::/64': 'fd20:2::' });
    expect(world.neighbours(device)).toEqual({ [GATEWAY]: mac(2), 'fd20:2::': mac(2) });
    expect(world.fdb(device)).toEqual({ [mac(2)]: vtep(2) });
  });

  it('follows new, changed and deleted leases', async () => {
    lease(NET, 2);
    await world.tick();
    lease('10.20.3.0/24', 3);
    lease(NET, 4, vtep(4));
    await world.leasesChanged();
    expect(routes()).toEqual({ [NET]: GATEWAY, '10.20.3.0/24': '10.20.3.0' });
    expect(world.neighbours(device)[GATEWAY]).toBe(mac(4));
    world.directory.lease(VNI, NET, undefined);
    await world.leasesChanged();
    await world.tick();
    expect(routes()).toEqual({ '10.20.3.0/24': '10.20.3.0' });
    expect(world.neighbours(device)).toEqual({ '10.20.3.0': mac(3) });
  });

  it('keeps routes as long as the grace keeps their neighbours', async () => {
    for (let n = 1; n <= 20; n++) lease(`10.21.${n}.0/24`, n);
    await world.tick();
    expect(Object.keys(routes())).toHaveLength(20);
    for (let n = 1; n <= 20; n++) world.directory.lease(VNI, `10.21.${n}.0/24`, undefined);
    world.reconciler.onChange({ type: 'gap' });
    world.preload.onChange({ type: 'gap' });
    await turns(40);
    await world.tick();
    expect(world.reconciler.guard.active).toEqual([VNI]);
    expect(Object.keys(routes())).toHaveLength(20);
  });

  it('restores deleted routes, and leaves and reports a foreign route of the same prefix', async () => {
    lease(NET, 2);
    lease('10.20.3.0/24', 3);
    world.kernel.routeTable.push({ ifindex: 3, cidr: '10.20.3.0/24', protocol: 4 });
    await world.tick();
    world.kernel.routeTable.splice(1, 1);
    world.preload.audit();
    await turns(20);
    expect(routes()).toEqual({ [NET]: GATEWAY, '10.20.3.0/24': undefined });
    expect(world.counters.conflicts.foreign_route).toBe(2);
  });

  it('writes no route for a lease that covers this host or the lease’s VTEP', async () => {
    world.assigned.add('10.20.2.77');
    lease(NET, 2);
    lease('10.99.0.0/24', 3, vtep(3));
    await world.tick();
    expect(routes()).toEqual({});
    expect(world.neighbours(device)).toEqual({});
    expect(world.counters.conflicts.lease_covers_host).toBe(2);
  });

  it('never become idle', async () => {
    lease(NET, 2);
    await world.tick();
    world.time += 100 * 3_600_000;
    await world.audit();
    expect(world.neighbours(device)).toEqual({ [GATEWAY]: mac(2) });
  });

  it('of an earlier daemon with another strategy are removed after its entries are compared', async () => {
    const other = world.device(vxlanLink(VXLAN, false));
    other.verified = false;
    world.kernel.routeTable.push({ ifindex: VXLAN, cidr: NET, gateway: GATEWAY, protocol: 77 });
    world.kernel.routeTable.push({ ifindex: VXLAN, cidr: '10.20.9.0/24', gateway: '10.20.9.0', protocol: 4 });
    await world.tick();
    expect(Object.keys(routes())).toHaveLength(2);
    other.verified = true;
    await world.tick();
    expect(routes()).toEqual({ '10.20.9.0/24': '10.20.9.0' });
  });
});

import { Subscription } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Host } from '../../../src/links/host.ts';
import { RequestedDevices } from '../../../src/links/requested-devices.ts';
import type { NamespaceEvent } from '../../../src/links/namespace-event.ts';
import type { Link } from '../../../src/base/vocabulary.ts';
import { FakeKernel, type FakeNamespace } from '../fake/kernel.ts';
import {
  BRIDGE,
  GUEST,
  HERE,
  ROUTED,
  VXLAN,
  World,
  link,
  turns,
  vtep,
  vxlanLink,
  watch,
} from '../fake/world.ts';

let world: World;
let namespace: FakeNamespace;
let host: Host;
let events: NamespaceEvent[];
let following: Subscription;
let wait: boolean;

/** A host that serves its own namespace, as it stands. */
async function serve(...links: Link[]): Promise<void> {
  for (const one of links) namespace.setLink(one);
  const kernel = new FakeKernel();
  kernel.namespaces.set(null, namespace);
  const options = {
    netns: [],
    device: [],
    local: [],
    strategy: [],
    receiveBuffer: 0,
    negativeLifetime: 5,
    wait,
  };
  host = new Host(options, kernel, world.log, world.deps.report);
  following = watch(host.events$(), (event) => events.push(event));
  await turns();
}

const types = (): string[] => events.map(({ type }) => type);
const names = (): string[] => host.devices().map(({ link: { name } }) => name);

beforeEach(() => {
  world = new World();
  namespace = world.kernel;
  events = [];
  wait = false;
});

afterEach(() => {
  following.unsubscribe();
});

describe('guests', () => {
  const TAP = 9;

  it('are heard at the guests’ ports of a device that learns, and their ports are followed', async () => {
    await serve(vxlanLink(VXLAN, true), link('eth0', 3, { kind: '', master: BRIDGE }));
    const [device] = host.devices();
    if (device === undefined) throw new Error('nothing is served');
    expect(namespace.senderPorts).toEqual([]);
    device.namespace.learn(device, true);
    expect(namespace.senderPorts).toEqual([GUEST]);
    events.length = 0;
    namespace.setLink(link('tap9', TAP, { kind: 'tun', master: BRIDGE }));
    expect(namespace.senderPorts).toEqual([GUEST, TAP]);
    namespace.removeLink(TAP);
    expect(events.filter(({ type }) => type === 'port')).toEqual([
      { type: 'port', device, port: TAP, state: 'up' },
      { type: 'port', device, port: TAP, state: 'gone' },
    ]);
    namespace.tell({ type: 'senders', senders: [], passedOver: [], lost: 0 });
    const heard = events.find((event) => event.type === 'senders');
    expect(heard?.behindPort(GUEST)).toBe(device);
    expect(heard?.behindPort(VXLAN + 100)).toBeUndefined();
    device.namespace.learn(device, false);
    expect(namespace.senderPorts).toEqual([]);
  });

  it('are missed at a port that went while link events were lost', async () => {
    await serve(vxlanLink(VXLAN, true));
    events.length = 0;
    namespace.linkTable.set(GUEST, link('p0', GUEST, { master: BRIDGE, noCarrier: true }));
    namespace.tell({ type: 'overrun', socket: 'link' });
    await turns();
    expect(events).toContainEqual(expect.objectContaining({ type: 'port', port: GUEST, state: 'down' }));
  });
});

describe('a host', () => {
  it('serves the VXLAN devices that raise misses, and locks each', async () => {
    await serve(vxlanLink(VXLAN, true), vxlanLink(ROUTED, false), link('eth0', 3));
    expect(names()).toEqual(['vx', 'vr']);
    for (const { ifindex } of host.devices())
      expect(namespace.names.list(`missd/device/${ifindex}/`)).toHaveLength(1);
    expect(namespace.ports).toEqual([{ port: GUEST, vxlan: VXLAN }]);
    expect(types()).toContain('loaded');
    expect(host.missing()).toEqual([]);
  });

  it.each([true, false])(
    'serves another missd’s devices as soon as they are free, with --wait %s',
    async (waits) => {
      wait = waits;
      namespace.names.bind(`missd/device/${VXLAN}/1`, 'listening', 0);
      await serve(vxlanLink(VXLAN, true));
      expect(names()).toEqual([]);
      expect(types()).toContain('taken');
      expect(host.awaited()).toEqual(waits ? ['vx@own'] : []);
      // Of no use to anybody until then.
      expect(host.lacking()).toEqual(['vx@own']);
      expect(host.claim()).toEqual([]);
      namespace.names.close(`missd/device/${VXLAN}/1`, 'listening');
      expect(host.claim().map(({ type }) => type)).toContain('served');
      expect(names()).toEqual(['vx']);
      expect(host.lacking()).toEqual([]);
    },
  );

  it('serves a device although another program holds a name of its lock, and reports the owner', async () => {
    namespace.names.bind(`missd/device/${VXLAN}`, 'datagram', 65_534);
    await serve(vxlanLink(VXLAN, true));
    expect(names()).toEqual(['vx']);
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'squatted', by: expect.stringContaining('uid 65534') as string }),
    );
  });

  it('serves the links of a read that overran, and reads them once more', async () => {
    let overruns = 0;
    namespace.onDump = (at) => {
      if (at === 'after' && overruns++ === 0) namespace.tell({ type: 'overrun', socket: 'link' });
    };
    await serve(vxlanLink(VXLAN, true));
    expect(types().filter((type) => type === 'served')).toHaveLength(1);
    expect(types().filter((type) => type === 'loaded')).toHaveLength(2);
    expect(host.missing()).toEqual([]);
  });

  it('treats an ifindex with another VNI as a new device, even without a removal event', async () => {
    await serve(vxlanLink(VXLAN, true));
    const [first] = host.devices();
    namespace.setLink(vxlanLink(VXLAN, true, { vni: 200 }));
    expect(types().filter((type) => type === 'gone' || type === 'served')).toEqual([
      'served',
      'gone',
      'served',
    ]);
    expect(first?.gone).toBe(true);
    expect(host.devices().map(({ vni }) => vni)).toEqual([200]);
  });

  it('serves the other links if one fails, and the failed link later', async () => {
    const lock = namespace.lock.bind(namespace);
    namespace.lock = (name, kind) => {
      if (name.includes(`/${VXLAN}/`)) throw new Error('broken');
      return lock(name, kind);
    };
    await serve(vxlanLink(VXLAN, true), vxlanLink(ROUTED, false));
    expect(names()).toEqual(['vr']);
    expect(types()).toContain('loaded');
    expect(world.counters.internalErrors.devices).toBeGreaterThan(0);
    namespace.lock = lock;
    host.refresh();
    expect(names()).toEqual(['vr', 'vx']);
    expect(types().filter((type) => type === 'served')).toHaveLength(2);
  });

  it('releases a lock that fails half-way, and takes it at the next attempt', async () => {
    const look = namespace.namedSockets.bind(namespace);
    let looks = 0;
    namespace.namedSockets = (prefix) => {
      if (++looks === 3) throw new Error('broken');
      return look(prefix);
    };
    await serve(vxlanLink(VXLAN, true));
    expect(looks).toBeGreaterThan(3);
    expect(world.counters.internalErrors.devices).toBe(1);
    host.claim();
    expect(names()).toEqual(['vx']);
  });

  it('ends the daemon without a device only at start', async () => {
    const failures: string[] = [];
    const bad = { ...vxlanLink(VXLAN, true), vxlan: { ...vxlanLink(VXLAN, true).vxlan, external: true } };
    await serve(bad);
    new RequestedDevices(
      () => [],
      host,
      world.log,
      (reason) => failures.push(reason),
    ).check();
    expect(failures).toEqual([
      'nothing can be served: vx@own: it is an external (vnifilter) device, which has no VNI of its own',
    ]);
    // Served once, then torn down and made again as something that cannot be.
    namespace.removeLink(VXLAN);
    expect([...(host.namespaces.values().next().value?.refusals ?? [])]).toEqual([]);
    namespace.setLink(vxlanLink(VXLAN, true));
    const requestedDevices = new RequestedDevices(
      () => [],
      host,
      world.log,
      (reason) => failures.push(reason),
    );
    requestedDevices.check();
    namespace.setLink(bad);
    expect(host.devices()).toEqual([]);
    requestedDevices.check();
    expect(failures).toHaveLength(1);
  });

  it('follows added and removed devices', async () => {
    await serve();
    namespace.setLink(vxlanLink(VXLAN, true));
    expect(names()).toEqual(['vx']);
    namespace.removeLink(VXLAN);
    expect(names()).toEqual([]);
    expect(namespace.names.list('')).toEqual([]);
    expect(types().slice(-2)).toEqual(['served', 'gone']);
  });

  it('reports when the kernel emptied a device, and when it can be written again', async () => {
    const served = vxlanLink(VXLAN, true);
    await serve(served);
    events = [];
    namespace.setLink({ ...served, up: false });
    namespace.setLink(served);
    namespace.setLink({ ...served, lladdr: '02:00:00:00:00:99' });
    expect(types()).toEqual(['emptied', 'up', 'emptied']);
  });

  it('reports when a device becomes the port of another bridge, or of none', async () => {
    const served = vxlanLink(VXLAN, true);
    await serve(served);
    events = [];
    namespace.setLink(vxlanLink(VXLAN, false));
    namespace.setLink(served);
    expect(types()).toEqual(['bridged', 'bridged']);
  });

  it('serves a refused device when the reason has ended', async () => {
    const bridge = link('br0', BRIDGE, { kind: 'bridge', bridge: { vlanFiltering: true } });
    await serve(bridge, vxlanLink(VXLAN, true));
    expect(names()).toEqual([]);
    namespace.setLink({ ...bridge, bridge: { vlanFiltering: false } });
    expect(names()).toEqual(['vx']);
  });

  it('has the addresses of its devices and interfaces as its own', async () => {
    namespace.addressTable = [{ ifindex: 4, ip: vtep(7) }];
    await serve(vxlanLink(VXLAN, true));
    expect([HERE, vtep(7), vtep(8)].map(host.isOwnVtep)).toEqual([true, true, false]);
    namespace.tell({ type: 'address', removed: false, address: { ifindex: 4, ip: vtep(8) } });
    namespace.tell({ type: 'address', removed: false, address: { ifindex: 9, ip: vtep(8) } });
    namespace.tell({ type: 'address', removed: true, address: { ifindex: 4, ip: vtep(8) } });
    expect(host.isOwnVtep(vtep(8))).toBe(true);
    expect(host.devices()[0]?.namespace.isAssigned(vtep(8))).toBe(true);
    namespace.tell({ type: 'address', removed: true, address: { ifindex: 9, ip: vtep(8) } });
    expect(host.isOwnVtep(vtep(8))).toBe(false);
  });

  it('has only those link-local addresses of the interface that its devices’ packets leave by', async () => {
    const [under, other] = [40, 41];
    const vxlan = vxlanLink(VXLAN, true);
    await serve({ ...vxlan, vxlan: { ...vxlan.vxlan, link: under } });
    events.length = 0;
    const tell = (ifindex: number, address: string, removed = false): void => {
      namespace.tell({ type: 'address', removed, address: { ifindex, ip: address, prefixLength: 64 } });
    };
    // Every container that comes up brings one.
    for (let veth = 0; veth < 20; veth++) tell(other + veth, `fe80::${veth + 1}`);
    expect(types()).toEqual([]);
    expect(host.isOwnVtep('fe80::1')).toBe(false);
    expect(host.devices()[0]?.namespace.isAssigned('fe80::1')).toBe(true);
    tell(under, 'fe80::99:1');
    expect(types()).toEqual(['addresses']);
    expect(host.isOwnVtep('fe80::99:1')).toBe(true);
    tell(under, 'fe80::99:1', true);
    expect(host.isOwnVtep('fe80::99:1')).toBe(false);
    // The device goes, and with it what its interface's addresses mean.
    tell(under, 'fe80::99:1');
    namespace.removeLink(VXLAN);
    expect(host.isOwnVtep('fe80::99:1')).toBe(false);
  });

  it('reports an address that guests asked for', async () => {
    await serve(vxlanLink(VXLAN, true));
    const [device] = host.devices();
    device?.tables.setNeighbour(
      {
        ip: 'fe80::77',
        mac: '02:00:00:00:00:77',
        source: { kind: 'ip', name: 'fe80::77' },
        checkedAt: 0,
        usedAt: 0,
      },
      1,
    );
    events.length = 0;
    namespace.tell({ type: 'address', removed: false, address: { ifindex: 50, ip: 'fe80::77' } });
    expect(types()).toEqual(['addresses']);
  });

  it('knows the broadcast address of a subnet for as long as an interface is in it', async () => {
    const broadcast = '10.99.3.255';
    const address = { ifindex: 4, ip: '10.99.2.7', prefixLength: 23 };
    namespace.addressTable = [address, { ifindex: 5, ip: '10.98.0.1', prefixLength: 31 }];
    await serve(vxlanLink(VXLAN, true));
    const [device] = host.devices();
    expect(device?.isBroadcast(broadcast)).toBe(true);
    expect(device?.isBroadcast('10.98.0.1')).toBe(false);
    namespace.tell({ type: 'address', removed: false, address: { ...address, ifindex: 9 } });
    namespace.tell({ type: 'address', removed: true, address });
    expect(device?.isBroadcast(broadcast)).toBe(true);
    namespace.tell({ type: 'address', removed: true, address: { ...address, ifindex: 9 } });
    expect(device?.isBroadcast(broadcast)).toBe(false);
  });

  it('reads all links again after an overrun, and keeps the served devices', async () => {
    await serve(vxlanLink(VXLAN, true));
    const [device] = host.devices();
    namespace.linkTable.delete(GUEST);
    namespace.linkTable.set(ROUTED, vxlanLink(ROUTED, false));
    namespace.tell({ type: 'overrun', socket: 'link' });
    await turns();
    expect(names()).toEqual(['vx', 'vr']);
    expect(host.devices()[0]).toBe(device);
    expect(namespace.ports).toEqual([]);
  });

  it('does not lose events during a read', async () => {
    namespace.onDump = (when) => {
      if (when === 'after' && !namespace.linkTable.has(ROUTED)) namespace.setLink(vxlanLink(ROUTED, false));
    };
    await serve(vxlanLink(VXLAN, true));
    expect(names()).toEqual(['vx', 'vr']);
  });
});

import { describe, expect, it } from 'vitest';
import type { Network } from '../../../src/directory/network.ts';
import { differences, Foreign, type Found } from '../../../src/join/differences.ts';
import type { Scene, SceneLink } from '../../../src/join/scene.ts';
import { firstOf, wantedFor } from '../../../src/join/wanted.ts';

const network: Network = {
  ...{
    name: 'blue',
    vni: 100,
    mode: 'bridged',
    subnet: '20.0.0.0/24',
    leaseLength: 24,
    port: 4789,
    mtu: 'auto',
  },
  ...{ publish: 'none', lease: 30, portsLimit: 64, anycast: [] },
};
const standpoint = { local: '10.99.0.1', underlayMtu: 1500, hostId: '10.99.0.1' };
const bridged = wantedFor(network, standpoint);
const routed = wantedFor(
  { ...network, mode: 'routed', subnet: '10.20.0.0/16' },
  { ...standpoint, prefix: '10.20.1.0/24' },
);

const link = (name: string, rest: Partial<SceneLink>): SceneLink => ({
  ...{
    name,
    ifindex: 7,
    kind: 'bridge',
    alias: 'missd:blue',
    up: true,
    loopback: false,
    mtu: 1450,
    mac: undefined,
  },
  ...{ master: undefined, vxlan: undefined, vlanFiltering: false, addresses: [], ...rest },
});
const vxlan = { vni: 100, local: '10.99.0.1', port: 4789, remote: undefined, learning: false };
const flags = { proxy: true, l2miss: true, l3miss: true };

function right(device: Partial<SceneLink> = {}, bridge: Partial<SceneLink> = {}): Scene {
  const mac = bridged.device.mac;
  const vx = { kind: 'vxlan', master: 'br-blue', vxlan: { ...vxlan, ...flags }, mac, ...device };
  return new Map([
    ['br-blue', link('br-blue', bridge)],
    ['vx-blue', link('vx-blue', vx)],
  ]);
}

const told = (found: Found, wanted = bridged): string[] =>
  differences(wanted, found).flatMap(({ what, steps }) => [
    what,
    ...steps.flatMap(({ underneath, commands }) =>
      commands.map((words) => `${underneath === true ? 'underlay: ' : ''}ip ${words.join(' ')}`),
    ),
  ]);

describe('the changes for a bridged network', () => {
  it('are none if it is set up', () => {
    expect(told({ scene: right() })).toEqual([]);
  });

  it('adopt a device and a bridge of another program if they are right', () => {
    const scene = right({ alias: undefined, mac: '02:00:00:00:00:01' }, { alias: undefined });
    expect(told({ scene })).toEqual([]);
  });

  it('create everything: the alias at once, the bridge before the device is up', () => {
    expect(told({ scene: new Map() })).toEqual([
      'there is no br-blue',
      'ip link add br-blue mtu 1450 type bridge',
      'ip link set br-blue alias missd:blue',
      'ip link set br-blue addrgenmode none',
      'ip link set br-blue up',
      'there is no vx-blue',
      `ip link add vx-blue mtu 1450 address ${bridged.device.mac ?? ''} type vxlan id 100 local 10.99.0.1 dstport 4789 nolearning proxy l2miss l3miss`,
      'ip link set vx-blue alias missd:blue',
      'ip link set vx-blue addrgenmode none',
      'ip link set vx-blue master br-blue',
      'ip link set vx-blue up',
    ]);
  });

  it.each<[string, Partial<SceneLink>, string]>([
    ['vx-blue is down', { up: false }, 'ip link set vx-blue up'],
    ['vx-blue has MTU 1400, not 1450', { mtu: 1400 }, 'ip link set vx-blue mtu 1450'],
    ['vx-blue is in no bridge', { master: undefined }, 'ip link set vx-blue master br-blue'],
    ['vx-blue is in br9', { master: 'br9' }, 'ip link set vx-blue master br-blue'],
    [
      'vx-blue learns from traffic',
      { vxlan: { ...vxlan, ...flags, learning: true } },
      'ip link set vx-blue type vxlan nolearning',
    ],
    [
      'vx-blue has local 10.99.0.9, not 10.99.0.1',
      { vxlan: { ...vxlan, ...flags, local: '10.99.0.9' } },
      'ip link set vx-blue type vxlan local 10.99.0.1',
    ],
  ])('%s', (what, device, command) => {
    expect(told({ scene: right(device) })).toEqual([what, command]);
    expect(() => told({ scene: right({ ...device, alias: undefined }) })).toThrow(Foreign);
  });

  it.each<[string, Partial<SceneLink>]>([
    ['vx-blue has VNI 200, not 100', { vxlan: { ...vxlan, ...flags, vni: 200 } }],
    ['vx-blue has UDP port 8472, not 4789', { vxlan: { ...vxlan, ...flags, port: 8472 } }],
    ['vx-blue has a default remote, 10.99.0.2', { vxlan: { ...vxlan, ...flags, remote: '10.99.0.2' } }],
    ['vx-blue has no proxy', { vxlan: { ...vxlan, ...flags, proxy: false } }],
    ['vx-blue has no l2miss', { vxlan: { ...vxlan, ...flags, l2miss: false } }],
    ['vx-blue is no VXLAN device', { kind: 'dummy', vxlan: undefined }],
  ])('%s: a device of missd is recreated, a foreign one is left alone', (what, device) => {
    const [said, first, second] = told({ scene: right(device) });
    expect([said, first]).toEqual([what, 'ip link delete vx-blue']);
    expect(second).toContain('ip link add vx-blue');
    expect(() => told({ scene: right({ ...device, alias: undefined }) })).toThrow(
      `${what}, and missd did not make it`,
    );
  });

  it('refuse a bridge that filters VLANs, and a name that is no bridge', () => {
    expect(() => told({ scene: right({}, { vlanFiltering: true }) })).toThrow('filters VLANs');
    expect(() => told({ scene: right({}, { kind: 'veth' }) })).toThrow('no bridge');
  });

  it('name the device that already has the VNI', () => {
    const other = link('vxlan100', { kind: 'vxlan', alias: undefined, vxlan: { ...vxlan, ...flags } });
    expect(() => told({ scene: new Map([['vxlan100', other]]) })).toThrow(
      'vxlan100 has VNI 100 and UDP port 4789 already, and is not vx-blue',
    );
  });

  it('set the gateway on every bridge, with the same MAC on all hosts', () => {
    const gateway = { ...network, gateway: '20.0.0.254' };
    const [one, two] = ['10.99.0.1', '10.99.0.2'].map((local) =>
      wantedFor(gateway, { ...standpoint, local, hostId: local }),
    );
    expect(one?.bridge.addresses).toEqual(['20.0.0.254/24']);
    expect(one?.bridge.mac).toBe(two?.bridge.mac);
    expect(one?.device.mac).not.toBe(two?.device.mac);
  });

  it('remove the previous gateway, and no address of an operator', () => {
    const addresses = ['20.0.0.254', '20.0.0.9'].map((ip) => ({
      ip,
      length: 24,
      scope: 'global',
      passing: false,
    }));
    const found = { scene: right({}, { addresses }), former: new Set(['20.0.0.254/24']) };
    expect(told(found)).toEqual([
      'br-blue still has 20.0.0.254/24',
      'ip address delete 20.0.0.254/24 dev br-blue',
    ]);
  });

  it('move the device to its own namespace, and recreate it after an interrupted move', () => {
    const underneath = {
      scene: new Map([['vx-blue', link('vx-blue', { kind: 'vxlan' })]]),
      target: '/run/netns/blue',
    };
    expect(told({ scene: new Map([['br-blue', link('br-blue', {})]]), underneath })).toEqual([
      'there is no vx-blue',
      'underlay: ip link delete vx-blue',
      expect.stringContaining('underlay: ip link add vx-blue'),
      'underlay: ip link set vx-blue alias missd:blue',
      'underlay: ip link set vx-blue netns /run/netns/blue',
      'ip link set vx-blue addrgenmode none',
      'ip link set vx-blue master br-blue',
      'ip link set vx-blue up',
    ]);
  });
});

describe('the changes for a routed network', () => {
  it('are a bridge with the first address of the prefix, and a device with the route', () => {
    const made = told({ scene: new Map() }, routed);
    expect(made).toContain('ip address add 10.20.1.1/24 dev br-blue');
    expect(made).toContain('ip address add 10.20.1.0/32 dev vx-blue');
    expect(made).toContain('ip route add 10.20.0.0/16 dev vx-blue proto static');
    expect(made.join()).not.toMatch(/proxy|vx-blue master/);
  });

  it('are a route that was deleted', () => {
    const { bridge, device } = routed;
    const at = (ip: string, length: number) => [{ ip, length, scope: 'global', passing: false }];
    const scene = right(
      {
        master: undefined,
        vxlan: { ...vxlan, ...flags, proxy: false },
        addresses: at('10.20.1.0', 32),
        mac: device.mac,
      },
      { addresses: at('10.20.1.1', 24), mac: bridge.mac },
    );
    expect(told({ scene, routes: [] }, routed)).toEqual([
      'vx-blue has no route to 10.20.0.0/16',
      'ip route add 10.20.0.0/16 dev vx-blue proto static',
    ]);
  });

  it('use the first address after the prefix itself', () => {
    expect(firstOf('10.20.1.0/24')).toBe('10.20.1.1/24');
    expect(firstOf('fd20:0:0:1::/64')).toBe('fd20:0:0:1::1/64');
  });
});

it('the MTU leaves room for the outer headers, IPv4 or IPv6, unless the network says another', () => {
  expect(bridged.device.mtu).toBe(1450);
  expect(wantedFor(network, { ...standpoint, local: 'fd99::1' }).device.mtu).toBe(1430);
  expect(wantedFor({ ...network, mtu: 1300 }, standpoint).bridge.mtu).toBe(1300);
});

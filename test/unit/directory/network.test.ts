import { describe, expect, it } from 'vitest';
import {
  makeNetwork,
  type NetworkInput,
  parseNetwork,
  renderNetwork,
} from '../../../src/directory/network-schema.ts';
import { bridgeName, deviceName, isWithin, refuseReservation } from '../../../src/directory/network.ts';

const BLUE: NetworkInput = { name: 'blue', vni: 100, mode: 'bridged', subnet: '20.0.0.0/16' };
const GREEN: NetworkInput = { name: 'green', vni: 200, mode: 'routed', subnet: '10.20.0.0/16' };

function refused(input: unknown): string {
  try {
    makeNetwork(input as NetworkInput);
  } catch (error) {
    expect(error).toHaveProperty('name', 'UsageError');
    return (error as Error).message;
  }
  return 'accepted';
}

describe('a network', () => {
  it('has default values', () => {
    expect(makeNetwork(BLUE)).toEqual({
      ...BLUE,
      ...{
        leaseLength: 24,
        port: 4789,
        mtu: 'auto',
        publish: 'learned',
        lease: 30,
        portsLimit: 64,
        anycast: [],
      },
    });
    expect(makeNetwork({ ...GREEN, subnet: 'fd20::/48' }).leaseLength).toBe(64);
  });

  it('names its bridge and its device, both short enough for the kernel', () => {
    const name = 'a23456789012';
    expect(bridgeName(makeNetwork({ ...BLUE, name }))).toBe('br-a23456789012');
    expect(deviceName(makeNetwork({ ...BLUE, name }))).toHaveLength(15);
  });

  it.each<[unknown, RegExp]>([
    [{ ...BLUE, name: 'Blue' }, /the name "Blue" is not/],
    [{ ...BLUE, name: 'a234567890123' }, /the name "a234567890123" is not/],
    [{ ...BLUE, vni: 0 }, /^network blue: vni: /],
    [{ ...BLUE, vni: 16_777_216 }, /^network blue: vni: /],
    [{ ...BLUE, mode: 'flat' }, /^network blue: mode: .*bridged/],
    [
      { ...BLUE, subnet: '20.0.0.1/16' },
      /subnet "20\.0\.0\.1\/16" is not a prefix, or has bits set behind it/,
    ],
    [{ ...BLUE, subnet: 'FD20::/48' }, /subnet "FD20::\/48" is not in canonical form/],
    [{ ...BLUE, subnet: '224.0.0.0/8' }, /is not a prefix of unicast addresses/],
    [{ ...BLUE, subnet: '20.0.0.0/31' }, /is longer than \/30: no room for guests/],
    [{ ...BLUE, subnet: 'fd20::/127' }, /is longer than \/126/],
    [{ ...BLUE, subnet6: '10.0.0.0/8' }, /subnet6 10\.0\.0\.0\/8 is not IPv6/],
    [{ ...BLUE, subnet: 'fd20::/48', subnet6: 'fd21::/48' }, /subnet6 goes with an IPv4 subnet/],
    [{ ...BLUE, gateway: '20.1.0.1' }, /gateway 20\.1\.0\.1 is outside 20\.0\.0\.0\/16$/],
    [{ ...BLUE, gateway: '20.0.0.0' }, /the first or last address/],
    [{ ...BLUE, gateway: '20.0.255.255' }, /the first or last address/],
    [{ ...BLUE, subnet6: 'fd20::/48', gateway: 'fd21::1' }, /outside 20\.0\.0\.0\/16 and fd20::\/48/],
    [{ ...BLUE, gateway: 'FD20::1' }, /gateway "FD20::1" is not in canonical form/],
    [{ ...BLUE, anycast: ['20.0.0.1', '20.0.0.1'] }, /anycast address 20\.0\.0\.1 is there twice/],
    [{ ...BLUE, anycast: ['30.0.0.1'] }, /anycast address 30\.0\.0\.1 is outside/],
    [{ ...BLUE, mtu: 575 }, /^network blue: mtu: Too small: expected number to be >=576$/],
    [{ ...BLUE, mtu: 1279, subnet6: 'fd20::/48' }, /mtu 1279 is below 1280/],
    [{ ...BLUE, port: 65_536 }, /^network blue: port: /],
    [{ ...BLUE, lease: 0 }, /^network blue: lease: /],
    [{ ...GREEN, leaseLength: 16 }, /lease-length 16 is not deeper than the subnet 10\.20\.0\.0\/16/],
    [{ ...GREEN, leaseLength: 31 }, /lease-length 31 is longer than \/30/],
    [{ ...GREEN, subnet: 'fd20::/32' }, /makes more than 2\^20 prefixes/],
    [{ ...GREEN, gateway: '10.20.0.1' }, /a routed network has no gateway/],
    [{ ...GREEN, subnet6: 'fd20::/48' }, /a routed network has one subnet/],
  ])('is refused in one line: %j', (input, reason) => {
    expect(refused(input)).toMatch(reason);
    expect(refused(input)).not.toContain('\n');
  });

  it('is read back as it was written', () => {
    const networks: NetworkInput[] = [
      {
        ...BLUE,
        subnet6: 'fd20::/48',
        gateway: 'fd20::1',
        mtu: 1450,
        anycast: ['20.0.0.9'],
        publish: 'none',
      },
      { ...GREEN, leaseLength: 26, lease: 1.5 },
    ];
    for (const network of networks.map(makeNetwork))
      expect(parseNetwork(renderNetwork(network), network.vni)).toEqual(network);
  });

  it.each<[string, RegExp]>([
    ['', /^the network of VNI 100: is not JSON$/],
    ['[]', /^the network of VNI 100: /],
    ['{"name":"blue"}', /^the network of VNI 100: vni: /],
    [JSON.stringify({ ...BLUE, vni: 101 }), /^the network of VNI 100: names VNI 101$/],
  ])('is not parsed from %j', (value, reason) => {
    expect(() => parseNetwork(value, 100)).toThrow(reason);
  });

  it('is parsed from a record with fields of a later version', () => {
    expect(parseNetwork(JSON.stringify({ ...BLUE, colour: 'blue' }), 100)).toEqual(makeNetwork(BLUE));
  });

  it('holds the addresses of both subnets', () => {
    const both = makeNetwork({ ...BLUE, subnet6: 'fd20::/48' });
    const held = ['20.0.3.4', '20.1.0.0', 'fd20::9', 'fd21::9', 'nonsense'].map((ip) => isWithin(both, ip));
    expect(held).toEqual([true, false, true, false, false]);
  });
});

describe('a reservation', () => {
  it.each<[string, string | undefined]>([
    ['10.20.3.0/24', undefined],
    ['10.20.0.0/20', 'prefix 10.20.0.0/20 is not a /24 of 10.20.0.0/16'],
    ['10.21.3.0/24', 'prefix 10.21.3.0/24 is not a /24 of 10.20.0.0/16'],
    ['10.20.3.1/24', 'prefix "10.20.3.1/24" is not a prefix, or has bits set behind it'],
  ])('of %s', (cidr, reason) => {
    expect(refuseReservation(makeNetwork(GREEN), { cidr, for: 'host-b' })).toBe(reason);
  });

  it('has a reason of one line, and a routed network', () => {
    const one = { cidr: '10.20.3.0/24', for: 'a\nb' };
    expect(refuseReservation(makeNetwork(GREEN), one)).toMatch(/control characters/);
    expect(refuseReservation(makeNetwork(BLUE), { ...one, for: '' })).toMatch(/network blue is bridged/);
  });
});

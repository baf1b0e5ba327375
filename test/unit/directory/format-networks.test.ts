import { describe, expect, it } from 'vitest';
import { parseRecords, renderRecords } from '../../../src/directory/format.ts';

const GOOD = `networks:
  blue:
    vni: 100
    mode: bridged
    subnet: 20.0.0.0/16
    subnet6: fd20::/48
    gateway: 20.0.0.1
    mtu: 1450
    publish: none
    ports-limit: 8
    anycast: [20.0.0.9]
  green:
    vni: 200
    mode: routed
    subnet: 10.20.0.0/16
    lease-length: 26
    reserved:
      - { cidr: 10.20.2.0/26, for: host-b }
      - { cidr: 10.20.3.0/26 }
vnis:
  200:
    vteps: [10.99.0.1]
`;

describe('the networks of a directory file', () => {
  it('are read, each with its VNI', () => {
    const records = parseRecords(GOOD, 'd.yaml');
    expect([...records.keys()]).toEqual([100, 200]);
    expect(records.get(100)?.network?.network).toMatchObject({
      name: 'blue',
      mtu: 1450,
      portsLimit: 8,
      lease: 30,
    });
    expect(records.get(200)).toMatchObject({
      vteps: ['10.99.0.1'],
      network: {
        network: { name: 'green', leaseLength: 26 },
        reserved: [
          { cidr: '10.20.2.0/26', for: 'host-b' },
          { cidr: '10.20.3.0/26', for: '' },
        ],
      },
    });
  });

  it('are written as they are read', () => {
    const records = parseRecords(GOOD, 'd.yaml');
    expect(parseRecords(renderRecords(records), 'd.yaml')).toEqual(records);
    records.delete(200);
    expect(renderRecords(records)).toMatch(/\nvnis: {}\n$/);
    expect(parseRecords(renderRecords(records), 'd.yaml')).toEqual(records);
  });

  it('may be the only contents of a file', () => {
    const blue = 'networks:\n  blue: { vni: 100, mode: bridged, subnet: 20.0.0.0/16 }';
    expect(parseRecords(blue, 'd.yaml').size).toBe(1);
  });

  const green = (more: string): string =>
    `vnis: {}\nnetworks:\n  green:\n    vni: 200\n    mode: routed\n    subnet: 10.20.0.0/16\n${more}`;
  it.each<[string, RegExp]>([
    [green('    gateway: 10.20.0.1'), /^d\.yaml:3: network green: a routed network has no gateway/],
    [green('    colour: green'), /^d\.yaml:7: unknown key "colour" in networks\.green$/],
    [green('    leaseLength: 24'), /^d\.yaml:7: unknown key "leaseLength"/],
    [green('    mtu: big'), /^d\.yaml:7: networks\.green\.mtu: expected "auto" or 576 to 65535$/],
    [green('    mtu:'), /^d\.yaml:7: networks\.green\.mtu has no value/],
    [
      green('    reserved:\n      - { cidr: 10.20.2.0/25 }'),
      /^d\.yaml:8: prefix 10\.20\.2\.0\/25 is not a \/24/,
    ],
    [
      green('    reserved:\n      - { cidr: 10.20.2.0/24 }\n      - { cidr: 10.20.2.0/24 }'),
      /^d\.yaml:9: 10\.20\.2\.0\/24 is reserved twice$/,
    ],
    [
      green('  red: { vni: 200, mode: bridged, subnet: 20.0.0.0/16 }'),
      /^d\.yaml:7: VNI 200 is that of network green/,
    ],
    [
      green('  Red: { vni: 201, mode: bridged, subnet: 20.0.0.0/16 }'),
      /^d\.yaml:7: network Red: the name "Red"/,
    ],
  ])('%j is refused with its line', (text, reason) => {
    expect(() => parseRecords(text, 'd.yaml')).toThrow(reason);
  });
});

import { describe, expect, it } from 'vitest';
import { addon } from '../../../src/kernel/addon.ts';
import type { RouteWrite } from '../../../src/kernel/kernel.ts';

const route: RouteWrite = {
  op: 'create',
  ifindex: 2,
  cidr: '10.20.2.0/24',
  gateway: '10.20.2.0',
  protocol: 77,
};
const route6: RouteWrite = { ...route, cidr: 'fd20:2::/64', gateway: 'fd20:2::' };
const hex = (...writes: RouteWrite[]): string => addon.encodeRoutes(writes).toString('hex');

describe('encodeRoutes', () => {
  it('encodes a route through a gateway on the device', () => {
    expect(hex(route)).toBe(
      '34000000180005060100000000000000' + // nlmsghdr: RTM_NEWROUTE, REQUEST | ACK | CREATE | EXCL
        '02180000fe4d000104000000' + // rtmsg: AF_INET /24, main, proto 77, universe, unicast, ONLINK
        '080001000a140200' + // RTA_DST
        '080005000a140200' + // RTA_GATEWAY
        '0800040002000000', // RTA_OIF
    );
  });

  it('removes an IPv6 route by prefix, gateway, device and protocol', () => {
    expect(hex({ ...route6, op: 'delete' })).toBe(
      '4c000000190005000100000000000000' +
        '0a400000fe4d000104000000' +
        '14000100fd200002000000000000000000000000' +
        '14000500fd200002000000000000000000000000' +
        '0800040002000000',
    );
  });

  it.each([
    { ...route, cidr: '10.20.2.0' },
    { ...route, cidr: '10.20.2.0/' },
    { ...route, cidr: '10.20.2.0/33' },
    { ...route, cidr: '10.20.2.0/-1' },
    { ...route, cidr: '10.20.2.0/24x' },
    { ...route, cidr: '10.20/16' },
    { ...route, gateway: 'fd20::' },
    { ...route, gateway: 'here' },
    { ...route, op: 'upsert' as 'create' },
  ])('throws at an invalid prefix, gateway or operation', (write) => {
    expect(() => addon.encodeRoutes([write])).toThrow(TypeError);
  });
});

describe('decodeRoutes', () => {
  it.each([route, route6, { ...route, cidr: '0.0.0.0/0' }])(
    'decodes what was encoded',
    ({ op, ...written }) => {
      expect(addon.decodeRoutes(addon.encodeRoutes([{ op, ...written }]))).toEqual({
        values: [written],
        malformed: 0,
      });
    },
  );

  it('reads a default route, which names no destination, and one without a gateway', () => {
    const bytes = Buffer.from(
      '24000000180000000000000000000000' + '02000000fe10000100000000' + '0800040007000000',
      'hex',
    );
    expect(addon.decodeRoutes(bytes).values).toEqual([{ ifindex: 7, cidr: '0.0.0.0/0', protocol: 16 }]);
  });

  it.each<[string, (bytes: Buffer) => void]>([
    ['another family', (bytes) => bytes.writeUInt8(28, 16)],
    ['a prefix longer than its address', (bytes) => bytes.writeUInt8(33, 17)],
    ['a destination of the other family', (bytes) => bytes.writeUInt8(10, 16)],
  ])('counts %s as malformed', (_, break_) => {
    const bytes = addon.encodeRoutes([route]);
    break_(bytes);
    expect(addon.decodeRoutes(bytes)).toEqual({ values: [], malformed: 1 });
  });

  it('counts a route truncated at any length as malformed', () => {
    const bytes = addon.encodeRoutes([route6]);
    for (let length = 1; length < bytes.length; length++)
      expect(addon.decodeRoutes(bytes.subarray(0, length))).toEqual({ values: [], malformed: 1 });
  });
});

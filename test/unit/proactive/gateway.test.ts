import { describe, expect, it } from 'vitest';
import { gatewayOf } from '../../../src/proactive/gateway.ts';
import { LeaseTable } from '../../../src/directory/leases.ts';
import { covers, following, formatPrefix, parseCidr } from '../../../src/base/prefix.ts';

const leases = (...cidrs: string[]): LeaseTable =>
  new LeaseTable(new Map(cidrs.map((cidr) => [cidr, '02:f0:00:00:00:02 10.99.0.2'])));

describe('the gateway of a lease', () => {
  it.each([
    ['10.20.2.0/24', [], '10.20.2.0'],
    ['10.20.2.7/32', [], '10.20.2.7'],
    ['0.0.0.0/0', [], '0.0.0.0'],
    ['fd20:0:0:2::/64', [], 'fd20:0:0:2::'],
    // Behind every longer prefix that begins where it does.
    ['10.20.0.0/16', ['10.20.0.0/24'], '10.20.1.0'],
    ['10.20.0.0/16', ['10.20.0.0/24', '10.20.1.0/32', '10.20.1.1/32'], '10.20.1.2'],
    ['10.20.0.0/16', ['10.20.0.0/24', '10.20.0.0/17'], '10.20.128.0'],
    ['fd20::/32', ['fd20::/64'], 'fd20:0:0:1::'],
    ['10.20.2.0/24', ['10.20.0.0/16'], '10.20.2.0'],
  ])('%s among %j is %s', (cidr, others, gateway) => {
    expect(gatewayOf(cidr, leases(cidr, ...others))).toBe(gateway);
  });

  it('is none where longer prefixes leave nothing of it', () => {
    const all = leases('10.20.2.0/24', '10.20.2.0/25', '10.20.2.128/25');
    expect(gatewayOf('10.20.2.0/24', all)).toBeUndefined();
    const last = leases('255.255.255.0/24', '255.255.255.0/25', '255.255.255.128/25');
    expect(gatewayOf('255.255.255.0/24', last)).toBeUndefined();
  });
});

describe('prefixes', () => {
  it.each([
    ['10.20.2.0/24', '10.20.3.0/24'],
    ['10.255.255.255/32', '11.0.0.0/32'],
    ['fd20:0:0:ffff::/64', 'fd20:0:1::/64'],
    ['255.0.0.0/8', undefined],
    ['::/0', undefined],
  ])('behind %s comes %s', (cidr, next) => {
    const prefix = parseCidr(cidr);
    const behind = prefix && following(prefix);
    expect(behind && formatPrefix(behind)).toBe(next);
  });

  it.each([
    ['10.20.0.0/15', '10.21.255.255/32', true],
    ['10.20.0.0/15', '10.22.0.0/32', false],
    ['0.0.0.0/0', '10.0.0.1/32', true],
    ['0.0.0.0/0', '::/128', false],
    ['fd20::/16', 'fd20:ffff::1/128', true],
    ['fd20::/64', 'fd20:0:0:1::/128', false],
  ])('%s covers %s: %s', (one, other, covered) => {
    const [prefix, address] = [parseCidr(one), parseCidr(other)];
    expect(prefix && address && covers(prefix, address)).toBe(covered);
  });
});

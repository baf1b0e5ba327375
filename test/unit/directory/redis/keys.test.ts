import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RedisKeys } from '../../../../src/directory/redis/keys.ts';

const keys = new RedisKeys('missd');

describe('keys', () => {
  it('are written as documented', () => {
    expect(keys.record({ vni: 100, kind: 'ip', address: '20.0.0.2' })).toBe('missd:{100}:ip:20.0.0.2');
    expect(keys.record({ vni: 100, kind: 'mac', address: '02:42:14:00:00:02' })).toBe(
      'missd:{100}:mac:02:42:14:00:00:02',
    );
    expect(keys.lease(100, '10.20.2.0/24')).toBe('missd:{100}:subnet:10.20.2.0/24');
    expect(keys.leases(100)).toBe('missd:{100}:subnets');
    expect(keys.vteps(100)).toBe('missd:{100}:vteps');
    expect(keys.pattern(undefined)).toBe('missd:{*}:*');
    expect(keys.pattern(100)).toBe('missd:{100}:*');
  });

  it('are read back', () => {
    const vni = fc.integer({ min: 1, max: 0xffffff });
    const address = fc.oneof(fc.ipV4(), fc.ipV6(), fc.constant('02:42:14:00:00:02'));
    fc.assert(
      fc.property(vni, fc.constantFrom('ip', 'mac'), address, (v, kind, a) => {
        const key = { vni: v, kind: kind, address: a };
        expect(keys.decode(Buffer.from(keys.record(key)))).toEqual({ what: 'record', key });
        expect(keys.decode(Buffer.from(keys.lease(v, a)))).toEqual({ what: 'lease', vni: v, cidr: a });
        expect(keys.decode(Buffer.from(keys.leases(v)))).toEqual({ what: 'leases', vni: v });
        expect(keys.decode(Buffer.from(keys.record(key)), new Set([v]))).toBeDefined();
        expect(keys.decode(Buffer.from(keys.record(key)), new Set([v + 1]))).toBeUndefined();
      }),
    );
  });

  it.each([
    '',
    'missd:',
    'missd:{',
    'missd:{}:ip:1.2.3.4',
    'missd:{0}:ip:1.2.3.4',
    'missd:{0100}:ip:1.2.3.4',
    'missd:{16777216}:ip:1.2.3.4',
    'missd:{99999999999999999999}:ip:1.2.3.4',
    'missd:{1e2}:ip:1.2.3.4',
    'missd:{-1}:ip:1.2.3.4',
    'missd:{100}',
    'missd:{100}ip:1.2.3.4',
    'missd:{100}:vtepsx',
    'missd:{100}:subnetsx',
    'missd:{100}:IP:1.2.3.4',
    'missc:{100}:ip:1.2.3.4',
    `missd:{100}:ip:${'1'.repeat(1000)}`,
  ])('of other programs are ignored: %.60s', (text) => {
    expect(keys.decode(Buffer.from(text))).toBeUndefined();
  });

  it('of networks are known from keys that nobody reads', () => {
    const of = [
      ...['missd:networks', keys.hosts(100), keys.host(100, '10.99.0.1'), keys.prefixes(100)],
      ...[keys.owner(100, '02:42:14:00:00:02'), keys.owned(100, 'h1')],
    ];
    for (const key of of) expect(keys.isOfNetworks(Buffer.from(key))).toBe(true);
    const others = [
      'missd:network',
      'missd:{100}:hostsx',
      'missd:{100}:host:',
      'missd:{0}:hosts',
      'missc:networks',
    ];
    for (const key of [...others, keys.record({ vni: 100, kind: 'ip', address: '20.0.0.2' })])
      expect(keys.isOfNetworks(Buffer.from(key))).toBe(false);
  });

  it('may be any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        keys.decode(Buffer.concat([Buffer.from('missd:{'), bytes]));
      }),
    );
  });
});

import { MALFORMED_REASONS } from '../../../src/base/outcomes.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isServableIp,
  judgeLease,
  judgeMac,
  parseIpRecord,
  parseLease,
  parseMacRecord,
  type RecordContext,
} from '../../../src/directory/record.ts';
import { vtepAllowance } from '../../../src/directory/vtep-allow.ts';

const v4: RecordContext = { family: 4, vtepAllow: () => true };
const v6: RecordContext = { family: 6, vtepAllow: () => true };
const MAC = '02:42:14:00:00:02';

describe('a valid record', () => {
  it.each([
    [`${MAC} 10.99.0.2`, v4, { mac: MAC, vtep: '10.99.0.2', router: false }],
    [`${MAC} 10.99.0.2 router`, v4, { mac: MAC, vtep: '10.99.0.2', router: true }],
    ['00:00:00:00:00:01 1.0.0.1', v4, { mac: '00:00:00:00:00:01', vtep: '1.0.0.1', router: false }],
    [
      'fe:ff:ff:ff:ff:ff 223.255.255.254',
      v4,
      { mac: 'fe:ff:ff:ff:ff:ff', vtep: '223.255.255.254', router: false },
    ],
    [`${MAC} 2001:db8::2`, v6, { mac: MAC, vtep: '2001:db8::2', router: false }],
    [`${MAC} fd00:1:2:3:4:5:6:7 router`, v6, { mac: MAC, vtep: 'fd00:1:2:3:4:5:6:7', router: true }],
    [
      `${MAC} 2001:db8:1111:2222:3333:4444:5555:6666 router`,
      v6,
      { mac: MAC, vtep: '2001:db8:1111:2222:3333:4444:5555:6666', router: true },
    ],
    [`${MAC} fe80::1`, v6, { mac: MAC, vtep: 'fe80::1', router: false }],
  ])('%s', (value, context, record) => {
    expect(parseIpRecord(value, context)).toEqual(record);
  });

  it('of a MAC and of a lease', () => {
    expect(parseMacRecord('10.99.0.2', v4)).toEqual({ vtep: '10.99.0.2' });
    expect(parseLease(`${MAC} 10.99.0.2`, v4)).toEqual({ mac: MAC, vtep: '10.99.0.2' });
  });
});

const MALFORMED_VTEPS = [
  ['0.0.0.0', 'vtep'],
  ['0.1.2.3', 'vtep'],
  ['127.0.0.1', 'vtep'],
  ['127.255.255.255', 'vtep'],
  ['224.0.0.1', 'vtep'],
  ['239.1.1.1', 'vtep'],
  ['240.0.0.1', 'vtep'],
  ['255.255.255.255', 'vtep'],
  ['10.0.0', 'vtep'],
  ['10.0.0.1.2', 'vtep'],
  ['10.0.0.256', 'vtep'],
  ['10.0.0.01', 'vtep'],
  ['0x0a.0.0.1', 'vtep'],
  ['167772161', 'vtep'],
  ['10.0.0.1/32', 'vtep'],
  ['10.0.0.1:4789', 'vtep'],
  ['10..0.1', 'vtep'],
  ['10.0.0.1.', 'vtep'],
  ['１０.0.0.1', 'vtep'],
  ['host', 'vtep'],
  ['::', 'vtep'],
  ['::1', 'vtep'],
  ['::5', 'vtep'],
  ['::10.0.0.1', 'vtep'],
  ['::ffff:10.0.0.1', 'vtep'],
  ['::ffff:a00:1', 'vtep'],
  ['ff00::', 'vtep'],
  ['ff02::1', 'vtep'],
  ['fe80::1%eth0', 'vtep'],
  ['[2001:db8::1]', 'vtep'],
  ['2001:db8:::1', 'vtep'],
  ['2001:db8::1::2', 'vtep'],
  ['1:2:3:4:5:6:7', 'vtep'],
  ['1:2:3:4:5:6:7:8:9', 'vtep'],
  ['2001:db8::12345', 'vtep'],
  ['2001:DB8::1', 'not_canonical'],
  ['2001:0db8::1', 'not_canonical'],
  ['2001:db8:0:0:0:0:0:1', 'not_canonical'],
  ['2001:db8::1:0:0:0:1', 'not_canonical'],
  ['10.0.0.1\n', 'vtep'],
  ['10.0.0.1\0', 'vtep'],
  ['10.0.0.1\t', 'vtep'],
  ['\u007f10.0.0.1', 'vtep'],
  ['10.0.0.1 ', 'syntax'],
  ['', 'syntax'],
] as const;

describe('a malformed VTEP', () => {
  it.each(MALFORMED_VTEPS)('%j is %s', (vtep, reason) => {
    for (const context of [v4, v6]) {
      expect(parseMacRecord(vtep, context)).toEqual({ malformed: reason });
      // Twice: the second answer comes from memory.
      expect(parseMacRecord(vtep, context)).toEqual({ malformed: reason });
      expect(parseIpRecord(`${MAC} ${vtep}`, context)).toEqual({ malformed: reason });
      expect(parseLease(`${MAC} ${vtep}`, context)).toEqual({ malformed: reason });
    }
  });

  it('is one of the other family', () => {
    expect(parseMacRecord('10.99.0.2', v6)).toEqual({ malformed: 'vtep_family' });
    expect(parseIpRecord(`${MAC} 2001:db8::2 router`, v4)).toEqual({ malformed: 'vtep_family' });
  });

  it('that is link-local, for a device that names no interface of its own namespace', () => {
    expect(parseMacRecord('fe80::2', v6)).toEqual({ vtep: 'fe80::2' });
    expect(parseMacRecord('fe80::2', { ...v6, linkLocal: true })).toEqual({ vtep: 'fe80::2' });
    const context = { ...v6, linkLocal: false };
    expect(parseMacRecord('febf::2', context)).toEqual({ malformed: 'vtep_link_local' });
    expect(parseIpRecord(`${MAC} fe80::2`, context)).toEqual({ malformed: 'vtep_link_local' });
    expect(parseMacRecord('fec0::2', context)).toEqual({ vtep: 'fec0::2' });
  });

  it('is the broadcast address of a subnet of the underlay', () => {
    const context = { ...v4, isBroadcast: (vtep: string) => vtep === '10.99.0.255' };
    expect(parseMacRecord('10.99.0.254', context)).toEqual({ vtep: '10.99.0.254' });
    expect(parseMacRecord('10.99.0.255', context)).toEqual({ malformed: 'vtep_broadcast' });
    expect(parseLease(`${MAC} 10.99.0.255`, context)).toEqual({ malformed: 'vtep_broadcast' });
  });

  it('outside --vtep-allow', () => {
    const context: RecordContext = {
      family: 4,
      vtepAllow: vtepAllowance(['10.99.0.0/24', '2001:db8::/32', '192.0.2.7']),
    };
    expect(parseMacRecord('10.99.0.2', context)).toEqual({ vtep: '10.99.0.2' });
    expect(parseMacRecord('192.0.2.7', context)).toEqual({ vtep: '192.0.2.7' });
    for (const vtep of ['10.99.1.2', '192.0.2.8', '10.99.1.2']) {
      expect(parseMacRecord(vtep, context)).toEqual({ malformed: 'vtep_not_allowed' });
    }
    expect(parseMacRecord('2001:db8::2', { ...context, family: 6 })).toEqual({ vtep: '2001:db8::2' });
    expect(parseMacRecord('2001:db9::2', { ...context, family: 6 })).toEqual({
      malformed: 'vtep_not_allowed',
    });
  });

  it('is remembered up to a bound', () => {
    for (let i = 0; i < 20_000; i++) parseMacRecord(`10.${i & 255}.${i >> 8}.1`, v4);
    expect(parseMacRecord('10.99.0.2', v4)).toEqual({ vtep: '10.99.0.2' });
  });
});

describe('a malformed MAC', () => {
  it.each([
    ['00:00:00:00:00:00', 'mac'],
    ['ff:ff:ff:ff:ff:ff', 'mac'],
    ['01:00:5e:00:00:01', 'mac'],
    ['33:33:00:00:00:01', 'mac'],
    ['02:42:14:00:00', 'mac'],
    ['02:42:14:00:00:02:03', 'mac'],
    ['02:42:14:00:00:0g', 'mac'],
    ['2:42:14:0:0:2', 'mac'],
    ['0242.1400.0002', 'mac'],
    ['02:42:14:00:00:02\n', 'mac'],
    ['02:42:14:00:00:0\0', 'mac'],
    ['02:42-14:00:00:02', 'mac'],
    ['02:42:14:00:00:0A', 'not_canonical'],
    ['02-42-14-00-00-02', 'not_canonical'],
  ])('%j is %s', (mac, reason) => {
    expect(judgeMac(mac)).toBe(reason);
    expect(parseIpRecord(`${mac} 10.99.0.2`, v4)).toEqual({ malformed: reason });
    expect(parseLease(`${mac} 10.99.0.2`, v4)).toEqual({ malformed: reason });
  });
});

describe('a malformed value', () => {
  it.each([
    '',
    ' ',
    MAC,
    `${MAC} `,
    ` ${MAC} 10.99.0.2`,
    `${MAC}  10.99.0.2`,
    `${MAC} 10.99.0.2 `,
    `${MAC} 10.99.0.2  router`,
    `${MAC} 10.99.0.2 Router`,
    `${MAC} 10.99.0.2 router `,
    `${MAC} 10.99.0.2 router router`,
    `${MAC} 10.99.0.2 bridge`,
    `${MAC} router`.replace('router', ' router'),
  ])('%.40j', (value) => {
    expect(parseIpRecord(value, v4)).toEqual({ malformed: 'syntax' });
  });

  it.each([
    'x'.repeat(1 << 20),
    `${MAC} 10.99.0.2${' '.repeat(1 << 20)}`,
    `${MAC} ${'1'.repeat(100)} router`,
  ])('too long: %.40j', (value) => {
    expect(parseIpRecord(value, v4)).toEqual({ malformed: 'size' });
    expect(parseLease(value, v4)).toEqual({ malformed: 'size' });
  });

  it('a lease with the word router, and a MAC record with two words', () => {
    expect(parseLease(`${MAC} 10.99.0.2 router`, v4)).toEqual({ malformed: 'syntax' });
    expect(parseMacRecord(`${MAC} 10.99.0.2`, v4)).toEqual({ malformed: 'syntax' });
    expect(parseMacRecord('1'.repeat(1 << 20), v4)).toEqual({ malformed: 'size' });
  });

  it('is refused at the same cost at any length', () => {
    const long = `${MAC} ${'f'.repeat(8 << 20)}`;
    const start = performance.now();
    for (let i = 0; i < 10_000; i++) parseIpRecord(long, v6);
    expect(performance.now() - start).toBeLessThan(500);
  });
});

describe('an address that can be an endpoint', () => {
  it.each(['20.0.0.2', '1.1.1.1', '169.254.1.1', '2001:db8::1', 'fd00::1', 'fe80::1', '64:ff9b::1'])(
    '%s',
    (ip) => {
      expect(isServableIp(ip)).toBe(true);
    },
  );
  it.each([
    '0.0.0.0',
    '0.0.0.1',
    '127.0.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    'ff02::1',
    '::ffff:1.2.3.4',
    '2001:DB8::1',
    '20.0.0.2 ',
    'x',
    '',
  ])('unlike %j', (ip) => {
    expect(isServableIp(ip)).toBe(false);
  });
});

describe('a lease judged without its device', () => {
  it.each([
    ['10.20.2.0/24', `${MAC} 10.99.0.2`, undefined],
    ['0.0.0.0/0', `${MAC} 2001:db8::2`, undefined],
    ['2001:db8:1::/64', `${MAC} 10.99.0.2`, undefined],
    ['10.20.2.1/24', `${MAC} 10.99.0.2`, 'cidr'],
    ['2001:db8:1::1/64', `${MAC} 10.99.0.2`, 'cidr'],
    ['10.20.2.0/33', `${MAC} 10.99.0.2`, 'cidr'],
    ['2001:db8::/129', `${MAC} 10.99.0.2`, 'cidr'],
    ['10.20.2.0/024', `${MAC} 10.99.0.2`, 'cidr'],
    ['10.20.2.0/', `${MAC} 10.99.0.2`, 'cidr'],
    ['10.20.2.0', `${MAC} 10.99.0.2`, 'cidr'],
    ['10.20.2.0/24/24', `${MAC} 10.99.0.2`, 'cidr'],
    ['/'.repeat(1 << 20), `${MAC} 10.99.0.2`, 'cidr'],
    ['2001:DB8:1::/64', `${MAC} 10.99.0.2`, 'not_canonical'],
    ['10.20.2.0/24', `${MAC} 10.99.0.2 router`, 'syntax'],
    ['10.20.2.0/24', `${MAC} 127.0.0.1`, 'vtep'],
    ['10.20.2.0/24', `${MAC} ::1`, 'vtep'],
    ['10.20.2.0/24', `00:00:00:00:00:00 10.99.0.2`, 'mac'],
  ])('%.30s %s: %s', (cidr, value, reason) => {
    expect(judgeLease(cidr, value)).toBe(reason);
  });
});

describe('any text', () => {
  const nearly = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.stringMatching(/^([0-9a-f]{2}:){5}[0-9a-f]{2} [0-9a-f.:]{1,20}( router)?$/),
    fc
      .tuple(fc.stringMatching(/^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/), fc.oneof(fc.ipV4(), fc.ipV6()))
      .map(([mac, vtep]) => `${mac} ${vtep}`),
  );

  it('is parsed without an exception to an equal record or a known reason', () => {
    fc.assert(
      fc.property(nearly, fc.constantFrom(v4, v6), (value, context) => {
        const record = parseIpRecord(value, context);
        if ('malformed' in record) expect(MALFORMED_REASONS).toContain(record.malformed);
        else expect(`${record.mac} ${record.vtep}${record.router ? ' router' : ''}`).toBe(value);
      }),
      { numRuns: 2000 },
    );
  });
});

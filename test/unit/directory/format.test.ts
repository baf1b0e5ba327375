import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRecords, type Records, renderRecords, vtepsByMac } from '../../../src/directory/format.ts';
import { formatIp4, formatIp6 } from '../../../src/base/address.ts';

const GOOD = `# a comment
vnis:
  100:
    endpoints:
      - { ip: 20.0.0.2, mac: "02:42:14:00:00:02", vtep: 10.99.0.2 }   # router: true for an IPv6 router
      - ip: 2001:db8::1
        mac: 02:42:14:00:00:03
        vtep: 10.99.0.3
        router: true
    subnets:
      - { cidr: 10.20.2.0/24, mac: "02:f0:00:00:00:02", vtep: 10.99.0.2 }
    vteps: [10.99.0.1, 10.99.0.2]
  "200": {}
`;

describe('a directory file', () => {
  it('of the documented form is read', () => {
    expect(parseRecords(GOOD, 'd.yaml')).toEqual(
      new Map([
        [
          100,
          {
            endpoints: [
              { ip: '20.0.0.2', mac: '02:42:14:00:00:02', vtep: '10.99.0.2', router: false },
              { ip: '2001:db8::1', mac: '02:42:14:00:00:03', vtep: '10.99.0.3', router: true },
            ],
            subnets: [{ cidr: '10.20.2.0/24', mac: '02:f0:00:00:00:02', vtep: '10.99.0.2' }],
            vteps: ['10.99.0.1', '10.99.0.2'],
          },
        ],
        [200, { endpoints: [], subnets: [], vteps: [] }],
      ]),
    );
    expect(parseRecords('vnis: {}', 'd.yaml').size).toBe(0);
  });

  it.each([
    ['', /^d\.yaml:1: the file: .*expected object/],
    ['[]', /^d\.yaml:1: the file: .*expected object/],
    ['vnis:\n  100:\n    endpoints: [\n', /^d\.yaml:\d: .*sequence/],
    ['vnis:\n  100: {}\n  100: {}', /^d\.yaml:3: Map keys must be unique/],
    ['vnis: {}\nvni: {}', /^d\.yaml:2: unknown key "vni"/],
    ['vnis:\n  100:\n    endpoint: []', /^d\.yaml:3: unknown key "endpoint" in vnis\.100/],
    ['vnis:\n  0: {}', /^d\.yaml:2: "0" is not a VNI/],
    ['vnis:\n  16777216: {}', /^d\.yaml:2: "16777216" is not a VNI/],
    ['vnis:\n  0x64: {}', /^d\.yaml:2: "0x64" is not a VNI/],
    ['vnis:\n  100:\n    vteps:\n      - 10.0.0.1\n      - 127.0.0.1', /^d\.yaml:5: "127\.0\.0\.1" .*VTEP/],
    [
      'vnis:\n  100:\n    vteps:\n      - 10.0.0.1\n      - 10.0.0.1',
      /^d\.yaml:5: 10\.0\.0\.1 is in VNI 100 twice/,
    ],
    [
      'vnis:\n  100:\n    endpoints:\n      - { ip: 20.0.0.2 }',
      /^d\.yaml:4: vnis\.100\.endpoints\.0\.mac: .*string/,
    ],
    [
      'vnis:\n  100:\n    endpoints:\n      - ip: 20.0.0.2\n        mac: 02:42:14:00:00:02\n        vtep: 10.0.0.1\n        rooter: true',
      /^d\.yaml:7: unknown key "rooter"/,
    ],
    [
      'vnis:\n  100:\n    endpoints:\n      - ip: 20.0.0.2\n        mac: 02:42:14:00:00:0A\n        vtep: 10.0.0.1',
      /^d\.yaml:5: "02:42:14:00:00:0A" is not in canonical form/,
    ],
    [
      'vnis:\n  100:\n    endpoints:\n      - ip: 20.0.0.2\n        mac: 02:42:14:00:00:0a\n        vtep: 10.0.0.1\n        router: yes',
      /^d\.yaml:7: .*boolean/,
    ],
    [
      'vnis:\n  100:\n    endpoints:\n      - { ip: 20.0.0.2, mac: "02:42:14:00:00:02", vtep: 10.0.0.1 }\n      - { ip: 20.0.0.2, mac: "02:42:14:00:00:03", vtep: 10.0.0.1 }',
      /^d\.yaml:5: 20\.0\.0\.2 is in VNI 100 twice/,
    ],
    [
      'vnis:\n  100:\n    subnets:\n      - { cidr: 10.20.2.1/24, mac: "02:42:14:00:00:02", vtep: 10.0.0.1 }',
      /^d\.yaml:4: "10\.20\.2\.1\/24" is not a prefix/,
    ],
    [
      'a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c]',
      /^d\.yaml:1: .*alias/,
    ],
  ])('is refused with its line: %j', (text, reason) => {
    let message = '';
    try {
      parseRecords(text, 'd.yaml');
    } catch (error) {
      message = (error as Error).message;
      expect(error).toHaveProperty('name', 'UsageError');
    }
    expect(message).toMatch(reason);
    expect(message).not.toContain('\n');
  });

  it.each([
    ['vnis:', 'd.yaml:1: vnis'],
    ['vnis: ~', 'd.yaml:1: vnis'],
    ['vnis:\n  100:', 'd.yaml:2: vnis.100'],
    ['vnis:\n  100: {}\n  101:\n', 'd.yaml:3: vnis.101'],
    ['vnis:\n  100:\n    endpoints:', 'd.yaml:3: vnis.100.endpoints'],
    ['vnis:\n  100:\n    endpoints: []\n    subnets:\n', 'd.yaml:4: vnis.100.subnets'],
    ['vnis:\n  100:\n    vteps:\n', 'd.yaml:3: vnis.100.vteps'],
    ['vnis:\n  100:\n    vteps:\n      -\n', 'd.yaml:4: vnis.100.vteps.0'],
    ['vnis:\n  100:\n    endpoints:\n      -', 'd.yaml:4: vnis.100.endpoints.0'],
    ['vnis:\n  100:\n    endpoints:\n      - ip:', 'd.yaml:4: vnis.100.endpoints.0.ip'],
    [
      'vnis:\n  100:\n    endpoints:\n      - ip: 20.0.0.2\n        mac: 02:42:14:00:00:02\n        vtep:',
      'd.yaml:6: vnis.100.endpoints.0.vtep',
    ],
    [
      'vnis:\n  100:\n    endpoints:\n      - ip: 20.0.0.2\n        mac: 02:42:14:00:00:02\n        vtep: 10.0.0.1\n        router:',
      'd.yaml:7: vnis.100.endpoints.0.router',
    ],
  ])('without a value after a key is a file being written: %j', (text, where) => {
    expect(() => parseRecords(text, 'd.yaml')).toThrow(
      `${where} has no value, as in a file that is still being written`,
    );
  });

  it.each([
    ['an alias within itself', 'vnis: &a\n  100: *a'],
    ['brackets beyond the stack', '['.repeat(20_000)],
  ])('is refused in one line for %s', (_, text) => {
    expect(() => parseRecords(text, 'd.yaml')).toThrow(/^d\.yaml:\d+: [^\n]+$/);
  });

  it('gives a MAC a VTEP only if its endpoints agree', () => {
    const endpoint = (ip: string, mac: string, vtep: string) => ({ ip, mac, vtep, router: false });
    expect(
      vtepsByMac([
        endpoint('20.0.0.1', 'a', '10.0.0.1'),
        endpoint('20.0.0.2', 'a', '10.0.0.1'),
        endpoint('20.0.0.3', 'b', '10.0.0.1'),
        endpoint('20.0.0.4', 'b', '10.0.0.2'),
        endpoint('20.0.0.5', 'b', '10.0.0.2'),
      ]),
    ).toEqual(new Map([['a', '10.0.0.1']]));
  });

  it('is the same after writing and reading', () => {
    const vtep = fc.oneof(
      fc.integer({ min: 0x0a000000, max: 0x0affffff }).map(formatIp4),
      fc
        .array(fc.integer({ min: 0, max: 0xffff }), { minLength: 7, maxLength: 7 })
        .map((rest) => formatIp6([0x2001, ...rest])),
    );
    const mac = fc.stringMatching(/^[0-9a-f]2(:[0-9a-f]{2}){5}$/);
    const endpoints = fc.uniqueArray(fc.record({ ip: vtep, mac, vtep, router: fc.boolean() }), {
      selector: ({ ip }) => ip,
      maxLength: 8,
    });
    const subnets = fc.uniqueArray(
      fc.record({ cidr: vtep.map((ip) => `${ip}/${ip.includes(':') ? 128 : 32}`), mac, vtep }),
      { selector: ({ cidr }) => cidr, maxLength: 8 },
    );
    const vnis = fc.uniqueArray(
      fc.tuple(
        fc.integer({ min: 1, max: 0xffffff }),
        fc.record({ endpoints, subnets, vteps: fc.uniqueArray(vtep, { maxLength: 4 }) }),
      ),
      { selector: ([vni]) => vni, maxLength: 4 },
    );
    fc.assert(
      fc.property(vnis, (entries) => {
        const records: Records = new Map(entries);
        expect(parseRecords(renderRecords(records), 'd.yaml')).toEqual(records);
      }),
    );
  });
});

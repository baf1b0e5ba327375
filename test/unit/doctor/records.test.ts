/** Records are judged beside the daemon as the daemon judges them. */
import type { VxlanLink } from '../../../src/model/vxlan-link.ts';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { examineDirectory } from '../../../src/doctor/directories.ts';
import type { Finding } from '../../../src/doctor/finding.ts';
import type { Scene, Subject } from '../../../src/doctor/scene.ts';
import { type GatherOptions, gather } from '../../../src/explain/gather.ts';
import { parseIpRecord } from '../../../src/directory/record.ts';
import { context } from '../../../src/resolver/select-record.ts';
import { optionsOf } from '../fake/daemon.ts';
import { BRIDGE, VNI, VXLAN, World, ip, link as makeLink, mac, vxlanLink } from '../fake/world.ts';

const IPV6 = { ipv6: true, local: 'fd99::1' };
const SUBNET = { ifindex: 4, ip: '10.99.0.1', prefixLength: 24 };

let world: World;
let file: string;
let folder: string;
beforeEach(() => {
  world = new World();
  folder = mkdtempSync(join(tmpdir(), 'missd-records-'));
  file = join(folder, 'directory.yaml');
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const cases: [what: string, vtep: string, link: VxlanLink, expected: string | undefined][] = [
  ['a VTEP', '10.99.0.2', vxlanLink(VXLAN, true), undefined],
  ['the broadcast address of the underlay', '10.99.0.255', vxlanLink(VXLAN, true), 'vtep_broadcast'],
  ['the broadcast address of another subnet', '10.98.0.255', vxlanLink(VXLAN, true), undefined],
  ['a link-local VTEP', 'fe80::2', vxlanLink(VXLAN, true, IPV6), undefined],
  [
    'a link-local VTEP, and no interface',
    'fe80::2',
    vxlanLink(VXLAN, true, { ...IPV6, link: 0 }),
    'vtep_link_local',
  ],
  [
    'a link-local VTEP, and an interface elsewhere',
    'fe80::2',
    { ...vxlanLink(VXLAN, true, IPV6), linkNetnsid: 0 },
    'vtep_link_local',
  ],
  ['a VTEP of the other family', 'fd99::2', vxlanLink(VXLAN, true), 'vtep_family'],
];

describe.each(cases)('%s', (_what, behind, link, expected) => {
  beforeEach(() => {
    world.kernel.addressTable = [SUBNET];
    writeFileSync(
      file,
      `vnis:\n  ${VNI}:\n    endpoints:\n      - { ip: ${ip(2)}, mac: "${mac(2)}", vtep: "${behind}" }\n`,
    );
  });

  it('is valid for the daemon, or not', () => {
    world.broadcasts.add('10.99.0.255');
    const judged = parseIpRecord(
      `${mac(2)} ${behind}`,
      context({ vtepAllow: () => true }, world.device(link)),
    );
    expect('malformed' in judged ? judged.malformed : undefined).toBe(expected);
  });

  it('and for doctor', async () => {
    const place = { path: null, name: 'own', kernel: world.kernel } as unknown as Subject['place'];
    const devices = [{ place, link, name: link.name }] as Subject[];
    const findings: Finding[] = [];
    const scene = { options: { ...optionsOf([]), directory: file } } as unknown as Scene;
    const judged = await examineDirectory(
      scene,
      devices,
      async (_group, act) => {
        findings.push(...(await act()));
      },
      [],
    );
    expect(judged.map(({ ips }) => [...ips.keys()])).toEqual([expected === undefined ? [ip(2)] : []]);
    expect(findings.filter(({ check }) => check === 'value')).toHaveLength(expected === undefined ? 0 : 1);
  });
  it('and for explain', async () => {
    const opened = {
      path: null,
      kernel: world.kernel,
      links: new Map([[BRIDGE, makeLink('br0', BRIDGE, { kind: 'bridge' })]]),
    };
    const options: GatherOptions = {
      ...optionsOf([]),
      directory: file,
      byDefault: false,
      listen: { host: '127.0.0.1', port: 1 },
      // This host's own, so that nobody looks for the way there.
      local: [behind],
      given: { directory: [], listen: [] },
    };
    const facts = await gather(opened, link, VNI, { ip: ip(2) }, options);
    // The file's endpoint is an ip: and a mac: record.
    expect(facts.directory.records.map(({ malformed }) => malformed)).toEqual([expected, expected]);
    expect(facts.expected?.vtep).toBe(expected === undefined ? behind : undefined);
  });
});

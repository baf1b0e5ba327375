import { describe, expect, test } from 'vitest';
import { sh } from '../../../src/screen/shell.ts';
import { judgeDaemon } from '../../../src/doctor/daemon.ts';
import { FEATURES } from '../../../src/doctor/features.ts';
import type { Finding } from '../../../src/doctor/finding.ts';
import { judgeKernel } from '../../../src/doctor/kernel.ts';
import { type LimitFacts, judgeLimits } from '../../../src/doctor/limits.ts';
import { judgeOffload, parseFeatures, parseSnmp } from '../../../src/doctor/offload.ts';
import { type Privileges, judgePrivileges } from '../../../src/doctor/privileges.ts';

const told = (findings: readonly Finding[]): string[] =>
  findings.filter(({ level }) => level !== 'ok').map(({ level, check }) => `${level} ${check}`);

describe('judgeKernel', () => {
  test('each missing feature is reported with its consequence', () => {
    for (const feature of FEATURES) {
      const trials = FEATURES.map((one) =>
        one === feature ? { feature, error: 'EOPNOTSUPP' } : { feature: one },
      );
      const findings = judgeKernel(trials);
      expect(told(findings)).toHaveLength(1);
      expect(findings[0]?.what).toBe(`${feature}: EOPNOTSUPP`);
      expect(findings[0]?.why).toBeTruthy();
    }
    expect(told(judgeKernel(FEATURES.map((feature) => ({ feature }))))).toEqual([]);
  });

  test('a trial that cannot run is a warning only', () => {
    expect(told(judgeKernel('unshare failed: Operation not permitted'))).toEqual(['warning tried']);
  });
});

describe('judgePrivileges', () => {
  const all: Privileges = {
    capabilities: new Set(['CAP_NET_ADMIN', 'CAP_NET_RAW', 'CAP_SYS_ADMIN']),
    confined: false,
  };
  const without = (...names: string[]): Privileges => ({
    ...all,
    capabilities: new Set([...all.capabilities].filter((name) => !names.includes(name))),
  });
  test.each<[string, Parameters<typeof judgePrivileges>[0], string[]]>([
    ['all of them', { self: all, entersNamespaces: true }, []],
    [
      'none, and no daemon',
      { self: without(...all.capabilities), entersNamespaces: false },
      ['warning capabilities'],
    ],
    ['no CAP_NET_RAW', { self: without('CAP_NET_RAW'), entersNamespaces: false }, ['warning cap_net_raw']],
    ['no CAP_SYS_ADMIN, not needed', { self: without('CAP_SYS_ADMIN'), entersNamespaces: false }, []],
    [
      'no CAP_SYS_ADMIN',
      { self: without('CAP_SYS_ADMIN'), entersNamespaces: true },
      ['broken cap_sys_admin'],
    ],
    [
      'a daemon that lacks one',
      { self: all, daemon: { ...without('CAP_NET_ADMIN'), pid: 7 }, entersNamespaces: false },
      ['broken cap_net_admin'],
    ],
    [
      'a daemon with all capabilities, seen without any',
      { self: without(...all.capabilities), daemon: { ...all, pid: 7 }, entersNamespaces: true },
      [],
    ],
    [
      'a user namespace',
      { self: { ...all, confined: true }, entersNamespaces: false },
      ['note user-namespace'],
    ],
  ])('%s', (_, facts, expected) => {
    expect(told(judgePrivileges(facts))).toEqual(expected);
  });
});

describe('judgeLimits', () => {
  const MIB = 1 << 20;
  const table = (limit: number, fulls: number) => ({
    family: 4 as const,
    table: { entries: 3, thresholds: [limit / 4, limit / 2, limit] as const, fulls },
  });
  const facts = (rest: Partial<LimitFacts>): LimitFacts => ({
    receiveBuffer: { bytes: 64 * MIB, forced: true, wanted: 64 * MIB },
    tables: [],
    privileged: true,
    routed: false,
    bridgeFilter: [],
    ...rest,
  });
  test.each<[string, Partial<LimitFacts>, string[]]>([
    ['nothing', {}, []],
    [
      'a buffer that was capped',
      { receiveBuffer: { bytes: 212_992, forced: false, wanted: 64 * MIB } },
      ['warning receive-buffer'],
    ],
    [
      'a receive buffer capped without CAP_NET_ADMIN',
      { receiveBuffer: { bytes: 212_992, forced: false, wanted: 64 * MIB }, privileged: false },
      ['note receive-buffer'],
    ],
    [
      'a receive buffer capped above the wanted size',
      { receiveBuffer: { bytes: 64 * MIB, forced: false, wanted: MIB } },
      [],
    ],
    ['the default table with bridged guests', { tables: [table(1024, 0)] }, []],
    ['a table that has been full', { tables: [table(1024, 7)] }, ['note gc_thresh-ipv4']],
    [
      'the default table on a host that routes',
      { tables: [table(1024, 0)], routed: true },
      ['warning gc_thresh-ipv4'],
    ],
    ['a large table, full long ago', { tables: [table(65_536, 7)], routed: true }, []],
    [
      'iptables on bridges',
      { bridgeFilter: [{ where: 'own', value: 1, fix: sh`x` }] },
      ['note bridge-netfilter'],
    ],
    ['no iptables on bridges', { bridgeFilter: [{ where: 'own', value: 0, fix: sh`x` }] }, []],
  ])('%s', (_, rest, expected) => {
    expect(told(judgeLimits(facts(rest)))).toEqual(expected);
  });
});

describe('offload', () => {
  const SNMP = `Tcp: RtoAlgorithm InSegs InErrs OutRsts InCsumErrors
Tcp: 1 200 0 3 4
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
Udp: 100 0 0 9 0 0 5 0 0
UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
UdpLite: 0 0 0 0 0 0 0 0 0
`;
  const ETHTOOL = `Features for eth0:
rx-checksumming: on
tx-checksumming: on
	tx-checksum-ipv4: off [fixed]
	tx-checksum-ip-generic: on
tx-udp_tnl-segmentation: off [fixed]
tx-udp_tnl-csum-segmentation: on
`;
  test('parses the output of the kernel and of ethtool', () => {
    expect(parseSnmp(SNMP)).toEqual({ udp: 5, tcp: 4, received: 100 });
    expect(parseSnmp('Udp: InDatagrams\nUdp: 1\n')).toBeUndefined();
    expect(parseFeatures(ETHTOOL)).toEqual({ checksum: true, tunnel: false, tunnelChecksum: true });
  });

  const facts = { where: 'own', path: null, received: 9, tunnels: ['vxlan100'], wrong: { udp: 0, tcp: 0 } };
  test('is reported only with evidence', () => {
    expect(told(judgeOffload(facts))).toEqual([]);
    expect(told(judgeOffload({ ...facts, wrong: undefined }))).toEqual(['note unseen']);
    const device = { name: 'ens192', driver: 'vmxnet3' };
    expect(told(judgeOffload({ ...facts, device }))).toEqual(['note driver']);
    expect(told(judgeOffload({ ...facts, device: { ...device, features: { tunnel: false } } }))).toEqual([]);
    const [found] = judgeOffload({ ...facts, wrong: { udp: 5, tcp: 4 }, device: { name: 'eth0' } });
    expect(found).toMatchObject({ level: 'warning', check: 'checksums' });
    expect(found?.fix).toEqual([
      'ethtool -K vxlan100 tx-checksum-ip-generic off',
      'ethtool -K eth0 tx-udp_tnl-segmentation off',
    ]);
  });
});

test('a missing daemon is no fault, and a hanging daemon is', () => {
  const where = '127.0.0.1:9847';
  expect(told(judgeDaemon({ where, refused: true, reason: 'ECONNREFUSED' }, []))).toEqual(['note runs']);
  expect(told(judgeDaemon({ where, refused: false, reason: 'timeout' }, []))).toEqual(['broken runs']);
});

test('parameters of the machine are set in their namespace, also from another one', () => {
  const table = { entries: 3, thresholds: [256, 512, 1024] as const, fulls: 1 };
  const facts = { tables: [{ family: 4 as const, table }], privileged: true, routed: true, bridgeFilter: [] };
  expect(judgeLimits({ ...facts, root: '/proc/1/ns/net' })[0]?.fix?.[0]).toMatch(
    /^nsenter --net=\/proc\/1\/ns\/net sysctl -w net\.ipv4\.neigh\.default\.gc_thresh1=/,
  );
  expect(judgeLimits({ ...facts, root: null })[0]?.fix?.[0]).toMatch(/^sysctl -w /);
});

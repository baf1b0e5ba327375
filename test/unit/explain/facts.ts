/** Facts of a pair that is well, for tests to spoil. */
import type { Facts, StoredFact } from '../../../src/explain/facts.ts';
import type { Account } from '../../../src/observe/history/account.ts';
import { sh } from '../../../src/screen/shell.ts';
import { OUR_FDB_ROW, OUR_ROW, VNI, VXLAN, ip, link, mac, vtep, vxlanLink } from '../fake/world.ts';

export const ADDRESS = ip(2);
export const MAC = mac(2);
export const THERE = vtep(2);

export const record: StoredFact = {
  kind: 'ip',
  key: `missd:{100}:ip:${ADDRESS}`,
  value: `${MAC} ${THERE}`,
};
export const macRecord = (behind: string): StoredFact => ({
  kind: 'mac',
  key: `missd:{100}:mac:${MAC}`,
  value: behind,
});

export const account = (rest: Partial<Account> = {}): Account => ({
  version: '0',
  pid: 1,
  uptime: 60,
  vni: VNI,
  address: ADDRESS,
  directory: { up: true },
  withdrawalGuard: false,
  audit: 10,
  lifetime: 60,
  events: [],
  devices: [
    {
      name: 'vx',
      namespace: 'h1',
      ifindex: VXLAN,
      up: true,
      strategy: 'miss',
      verified: true,
      users: [],
    },
  ],
  ...rest,
});

/** They have talked: record, rows, daemon and the way there. */
export const talked = (rest: Partial<Facts> = {}): Facts => ({
  vni: VNI,
  address: ADDRESS,
  ip: ADDRESS,
  device: {
    link: vxlanLink(VXLAN, true),
    path: '/run/netns/h1',
    bridge: link('br0', 2, { kind: 'bridge' }),
    recreate: [sh`ip link del vx`, sh`ip link add vx`],
    locked: true,
    ownVteps: [vtep(1)],
    assignedTo: [],
    heard: [],
  },
  directory: {
    name: '127.0.0.1:6379',
    client: sh`redis-cli -h 127.0.0.1 -p 6379`,
    byDefault: false,
    records: [record],
    users: [],
    vteps: new Map([
      [THERE, 5],
      [vtep(1), 5],
    ]),
    macs: new Set([MAC]),
    complete: true,
  },
  daemon: { url: 'http://127.0.0.1:9847', account: account() },
  expected: { mac: MAC, vtep: THERE, router: false, source: record },
  neighbour: { row: { ifindex: VXLAN, ip: ADDRESS, lladdr: MAC, ...OUR_ROW }, updatedAgo: 3 },
  mac: MAC,
  fdb: { ifindex: VXLAN, lladdr: MAC, vtep: THERE, master: 0, usedAgo: 1, updatedAgo: 3000, ...OUR_FDB_ROW },
  underlay: {
    vtep: THERE,
    path: '/run/netns/h1',
    route: { device: 'eth0', source: vtep(1) },
    link: { ifindex: 3, name: 'eth0', mtu: 1500, up: true, carrier: true },
    neighbour: { device: 'eth0', ip: THERE, lladdr: mac(77), state: 'REACHABLE' },
    size: 1500,
    refused: false,
    small: { outcome: 'answered', rtt: 0.1 },
    full: { outcome: 'answered', rtt: 0.2 },
  },
  ...rest,
});

/** Spoils what is nested. */
export const spoiled = (spoil: (facts: Facts) => void): Facts => {
  const facts = structuredClone(talked());
  spoil(facts);
  return facts;
};

/** As before the first packet. */
export const silent = (facts: Facts): void => {
  delete facts.neighbour;
  delete facts.fdb;
};

import { describe, expect, it, test } from 'vitest';
import { explain } from '../../../src/explain/explain.ts';
import type { Facts } from '../../../src/explain/facts.ts';
import { CAUSES, type CauseName } from '../../../src/explain/finding.ts';
import type { EventAccount } from '../../../src/observe/history/account.ts';
import { NUD_FAILED, NUD_PERMANENT, NUD_STALE } from '../../../src/kernel/netlink.ts';
import { ip, mac, vtep } from '../fake/world.ts';
import { ADDRESS, MAC, THERE, account, macRecord, record, silent, spoiled, talked } from './facts.ts';

const answered = { outcome: 'answered', rtt: 1 } as const;
const nobody = { outcome: 'silent' } as const;
const guest = { path: '/run/netns/g1', route: { device: 'eth0' }, mtu: 1450 };
const change = (n: number, behind: string): EventAccount => ({
  kind: 'rewritten',
  at: '2026-01-01T00:00:00Z',
  ago: 100 - n,
  address: ADDRESS,
  mac: MAC,
  vtep: behind,
});
const unserved = (facts: Facts): void => {
  facts.device.locked = false;
  facts.daemon = { url: 'http://127.0.0.1:9847', silent: 'connect ECONNREFUSED' };
};

describe('the cause, and the next command', () => {
  const cases: [what: string, cause: CauseName, next: string, spoil: (facts: Facts) => void][] = [
    [
      'no record',
      'no_record',
      `missd endpoint set 100 ${ADDRESS} <MAC> <VTEP>`,
      (facts) => {
        silent(facts);
        facts.directory.records = [];
        delete facts.expected;
      },
    ],
    [
      'a malformed record',
      'malformed_record',
      `missd endpoint set 100 ${ADDRESS} <MAC> <VTEP>`,
      (facts) => {
        silent(facts);
        facts.directory.records = [{ ...record, malformed: 'vtep' }];
        delete facts.expected;
      },
    ],
    [
      'a directory that is down',
      'directory_down',
      'redis-cli -h 127.0.0.1 -p 6379 PING',
      (facts) => {
        silent(facts);
        delete facts.expected;
        facts.directory.records = [];
        facts.directory.down = 'connection refused';
        facts.daemon.account = account({ directory: { up: false, reason: 'connection refused' } });
      },
    ],
    [
      'no record, by the word of a daemon whose directory this command does not read',
      'no_record',
      `missd endpoint set 100 ${ADDRESS} <MAC> <VTEP>`,
      (facts) => {
        silent(facts);
        delete facts.expected;
        Object.assign(facts.directory, { records: [], byDefault: true, down: 'connection refused' });
        const [device] = facts.daemon.account?.devices ?? [];
        if (device) device.absent = { ago: 1, left: 4 };
      },
    ],
    [
      'no daemon',
      'no_daemon',
      'missd run --netns h1 --device vx',
      (facts) => {
        silent(facts);
        unserved(facts);
      },
    ],
    [
      'a device that is down',
      'device_down',
      'ip -n h1 link set vx up',
      (facts) => {
        facts.device.link.up = false;
      },
    ],
    [
      'a neighbour that neither answers nor asks',
      'stale_neighbour',
      `ip -n h1 neigh del ${ADDRESS} dev vx`,
      (facts) => {
        if (facts.neighbour)
          facts.neighbour.row = { ...facts.neighbour.row, state: NUD_STALE, flags: 0, protocol: 0 };
      },
    ],
    [
      'a foreign permanent neighbour',
      'foreign_entry',
      `ip -n h1 neigh del ${ADDRESS} dev vx`,
      (facts) => {
        if (facts.neighbour)
          facts.neighbour.row = { ...facts.neighbour.row, state: NUD_PERMANENT, flags: 0, lladdr: mac(9) };
      },
    ],
    [
      'a foreign permanent FDB entry',
      'foreign_entry',
      `bridge -n h1 fdb del ${MAC} dev vx self`,
      (facts) => {
        if (facts.fdb) facts.fdb = { ...facts.fdb, state: NUD_PERMANENT, vtep: vtep(9) };
      },
    ],
    [
      'a missing FDB entry without a daemon',
      'missing_fdb',
      `bridge -n h1 fdb add ${MAC} dev vx dst ${THERE} self extern_learn dynamic`,
      (facts) => {
        delete facts.fdb;
        unserved(facts);
      },
    ],
    [
      'a device without l3miss',
      'no_l3miss',
      'ip link del vx && ip link add vx',
      (facts) => {
        silent(facts);
        facts.device.link.vxlan.l3miss = false;
      },
    ],
    [
      'a default remote instead of an L2 miss',
      'default_remote',
      'ip -n h1 link set vx type vxlan id 100 remote 0.0.0.0',
      (facts) => {
        delete facts.fdb;
        facts.device.defaultRemote = vtep(9);
      },
    ],
    [
      'outdated entries of missd without a daemon',
      'not_as_recorded',
      `bridge -n h1 fdb del ${MAC} dev vx self`,
      (facts) => {
        if (facts.fdb) facts.fdb.vtep = vtep(9);
        unserved(facts);
      },
    ],
    [
      'an unreachable VTEP that only this record names',
      'wrong_vtep',
      `missd endpoint set 100 ${ADDRESS} ${MAC} <VTEP>`,
      (facts) => {
        facts.directory.vteps = new Map([
          [THERE, 1],
          [vtep(1), 5],
        ]);
        unreachable(facts);
      },
    ],
    ['a VTEP that others name, too', 'vtep_unreachable', `ip netns exec h1 ping -c 3 ${THERE}`, unreachable],
    [
      'a host that takes no VXLAN',
      'wrong_vtep',
      `ip netns exec h1 ping -c 3 ${THERE}`,
      (facts) => {
        if (facts.underlay) facts.underlay.refused = true;
      },
    ],
    [
      'no way out of the host',
      'underlay_down',
      'ip -n h1 link set eth0 up',
      (facts) => {
        const down = { ifindex: 3, name: 'eth0', mtu: 1500, up: false, carrier: false };
        facts.underlay = { vtep: THERE, path: '/run/netns/h1', size: 1500, unrouted: 'no route', home: down };
      },
    ],
    [
      'an MTU that the underlay’s does not hold',
      'mtu',
      'ip -n h1 link set vx mtu 1350',
      (facts) => {
        if (facts.underlay?.link) facts.underlay.link.mtu = 1400;
      },
    ],
    [
      'a smaller MTU on the way',
      'mtu',
      'ip -n h1 link set vx mtu 1350',
      (facts) => {
        if (facts.underlay) Object.assign(facts.underlay, { full: nobody, fits: 1400 });
      },
    ],
    [
      'a guest whose MTU is larger than the path’s',
      'mtu',
      'ip -n g1 link set eth0 mtu 1450',
      (facts) => {
        facts.guest = { ...guest, mtu: 1500, small: answered, full: { outcome: 'too_big' } };
        facts.device.link.mtu = 1450;
      },
    ],
    [
      'a guest without an answer',
      'no_answer',
      `missd explain 100 ${ADDRESS}   # on ${THERE}`,
      (facts) => {
        facts.guest = { ...guest, small: nobody, full: nobody };
      },
    ],
    [
      'a record with another MAC than the guest has',
      'wrong_mac',
      `missd endpoint set 100 ${ADDRESS} ${mac(9)} ${THERE}`,
      (facts) => {
        facts.guest = { path: '/run/netns/g2', own: { mac: mac(9), device: 'eth0' } };
      },
    ],
    [
      'a record of this host, whose bridge hears another MAC',
      'not_here',
      `missd endpoint set 100 ${ADDRESS} ${mac(9)} ${vtep(1)}`,
      (facts) => {
        silent(facts);
        facts.expected = { mac: MAC, vtep: vtep(1), router: false, source: record };
        facts.device.heard = [{ mac: mac(9), port: 'g2', ago: 10 }];
      },
    ],
    [
      'a record of this host, whose bridge sends its frames into the tunnel',
      'bridge_memory',
      `bridge -n h1 fdb del ${MAC} dev vx master`,
      (facts) => {
        silent(facts);
        facts.expected = { mac: MAC, vtep: vtep(1), router: false, source: record };
        const row = { ifindex: 5, lladdr: MAC, state: 2, flags: 0, master: 2, usedAgo: 10, updatedAgo: 10 };
        facts.bridged = { row, port: 'vx', behindTunnel: true };
      },
    ],
    [
      'a static entry of the bridge',
      'foreign_entry',
      `bridge -n h1 fdb del ${MAC} dev g1 master`,
      (facts) => {
        const row = { ifindex: 6, lladdr: MAC, state: 0x40, flags: 0, master: 2, usedAgo: 1, updatedAgo: 1 };
        facts.bridged = { row, port: 'g1', behindTunnel: false };
      },
    ],
    [
      'an address of this host that a record gives to another',
      'two_owners',
      `ip -n h1 address show to ${ADDRESS}`,
      (facts) => {
        silent(facts);
        facts.device.assignedTo = ['br0'];
      },
    ],
    [
      'a MAC that talks here, too',
      'two_owners',
      `missd endpoint set 100 ${ADDRESS} ${MAC} ${vtep(1)}`,
      (facts) => {
        const row = { ifindex: 6, lladdr: MAC, state: 2, flags: 0, master: 2, usedAgo: 10, updatedAgo: 10 };
        facts.bridged = { row, port: 'g1', behindTunnel: false };
      },
    ],
    [
      'a record that goes back and forth',
      'two_owners',
      `redis-cli -h 127.0.0.1 -p 6379 MONITOR | grep -F ${ADDRESS}`,
      (facts) => {
        const events = [vtep(2), vtep(3), vtep(2), vtep(3)].map((behind, n) => change(n, behind));
        facts.daemon.account = account({ events });
      },
    ],
    [
      'records of one MAC that disagree, and no mac: that decides',
      'vtep_disputed',
      `missd endpoint set 100 ${ADDRESS} ${MAC} <VTEP>`,
      (facts) => {
        facts.directory.users = [{ ip: ip(3), vtep: vtep(3) }];
      },
    ],
  ];

  test.each(cases)('%s', (_, cause, next, spoil) => {
    expect(explain(spoiled(spoil)).verdict).toMatchObject({ works: false, cause, next });
  });

  it('of several causes the decisive one', () => {
    const facts = spoiled((one) => {
      unreachable(one);
      if (one.fdb) one.fdb = { ...one.fdb, state: NUD_PERMANENT, vtep: vtep(9) };
    });
    expect(explain(facts).findings.filter(({ level }) => level === 'bad')).toHaveLength(2);
    expect(explain(facts).verdict.cause).toBe('foreign_entry');
  });

  it('has each cause once in the order of precedence', () => {
    expect(new Set(CAUSES).size).toBe(CAUSES.length);
  });
});

function unreachable(facts: Facts): void {
  if (facts.underlay === undefined) return;
  facts.underlay.neighbour = { device: 'eth0', ip: THERE, state: 'FAILED' };
  facts.underlay.small = facts.underlay.full = {
    outcome: 'unreachable',
    said: 'Destination Host Unreachable',
  };
}

describe('a verdict that it works', () => {
  const says = (spoil: (facts: Facts) => void = () => undefined): string => {
    const { verdict } = explain(spoiled(spoil));
    expect(verdict.works).toBe(true);
    return verdict.says;
  };

  it('as far as the host shows, with the command that proves it', () => {
    expect(says()).toBe(
      `works as far as the host goes: ${MAC} is behind ${THERE}, and full-size packets reach that host`,
    );
    expect(explain(talked()).verdict.next).toBe(
      `missd explain 100 ${ADDRESS} --netns h1 --from <GUEST-NETNS>`,
    );
  });

  it('from the daemon’s entry, if the daemon reads another directory', () => {
    const spoil = (facts: Facts): void => {
      Object.assign(facts.directory, { records: [], byDefault: true, down: 'connection refused' });
    };
    expect(says(spoil)).toMatch(/; but this command reads another directory than the daemon$/);
  });

  it('is proven by a guest', () => {
    expect(says((facts) => (facts.guest = { ...guest, small: answered, full: answered }))).toBe(
      `works: the guest has an answer from ${ADDRESS}`,
    );
  });

  it('has no entry before the first question', () => {
    expect(says(silent)).toMatch(/^not asked yet: the first packet raises a miss, and missd answers/);
  });

  it('is on this host', () => {
    expect(
      says((facts) => {
        silent(facts);
        facts.expected = { mac: MAC, vtep: vtep(1), router: false, source: record };
        const row = { ifindex: 6, lladdr: MAC, state: 2, flags: 0, master: 2, usedAgo: 10, updatedAgo: 10 };
        facts.bridged = { row, port: 'g2', behindTunnel: false };
      }),
    ).toBe(`${ADDRESS} is on this host; its frames need no tunnel`);
  });

  it('is on this host, after missd removed the row that the bridge learned from a stray frame', () => {
    expect(
      says((facts) => {
        silent(facts);
        facts.expected = { mac: MAC, vtep: vtep(1), router: false, source: record };
        const event = {
          kind: 'mended' as const,
          at: '2026-01-01T00:00:00Z',
          ago: 9,
          why: 'removed_bridge_entry',
        };
        facts.daemon.account = account({ events: [{ ...event, address: MAC }] });
      }),
    ).toMatch(/is on this host/);
  });

  it('works with a warning', () => {
    expect(
      says((facts) => {
        facts.directory.records = [record, macRecord(vtep(3))];
        facts.expected = {
          mac: MAC,
          vtep: vtep(3),
          router: false,
          source: record,
          overridden: macRecord(vtep(3)),
        };
        if (facts.fdb) facts.fdb.vtep = vtep(3);
      }),
    ).toMatch(/; but records disagree: .* mac: wins$/);
  });

  it('an answer to a guest outweighs records that disagree', () => {
    const proven = { ...guest, small: answered, full: answered };
    expect(
      says((facts) => {
        facts.guest = proven;
        facts.directory.users = [{ ip: ip(3), vtep: vtep(3) }];
      }),
    ).toMatch(/^works: the guest has an answer .*; but ip: records/);
  });

  it('a single move is not taken for two owners', () => {
    const events = [vtep(2), vtep(3), vtep(2)].map((behind, n) => change(n, behind));
    says((facts) => (facts.daemon.account = account({ events })));
  });

  it('needs neither daemon nor directory if another program fills the tables', () => {
    expect(
      says((facts) => {
        unserved(facts);
        delete facts.expected;
        Object.assign(facts.directory, { records: [], byDefault: true, down: 'connection refused' });
        if (facts.neighbour)
          Object.assign(facts.neighbour.row, { state: NUD_PERMANENT, flags: 0, protocol: 0 });
        if (facts.fdb) facts.fdb.state = NUD_PERMANENT;
      }),
    ).toMatch(/^works as far as the host goes/);
  });

  it('routed, may be the kernel’s own STALE row, but not a FAILED one', () => {
    const routed = (state: number) => (facts: Facts) => {
      delete facts.device.bridge;
      facts.route = { device: 'vx' };
      if (facts.neighbour) Object.assign(facts.neighbour.row, { state, flags: 0, protocol: 0 });
    };
    says(routed(NUD_STALE));
    expect(explain(spoiled(routed(NUD_FAILED))).verdict.cause).toBe('stale_neighbour');
  });
});

describe('an answer outweighs silent probes', () => {
  const filtered = (facts: Facts): void => {
    if (facts.underlay) Object.assign(facts.underlay, { small: nobody, full: nobody });
    facts.directory.vteps = new Map([
      [THERE, 1],
      [vtep(1), 5],
    ]);
  };
  const heardFrom = (facts: Facts, updatedAgo: number): void => {
    const row = { ifindex: 4, lladdr: MAC, master: 2, state: 2, flags: 0, usedAgo: 0, updatedAgo };
    facts.bridged = { row, port: 'vx', behindTunnel: true };
  };

  test.each<[string, (facts: Facts) => void]>([
    ['ICMP', () => undefined],
    [
      'ICMP, and a port that is said to be refused',
      (facts) => Object.assign(facts.underlay ?? {}, { refused: true }),
    ],
    ['ICMP, and no neighbour of the VTEP', (facts) => delete facts.underlay?.neighbour?.lladdr],
    ['only large ICMP', (facts) => Object.assign(facts.underlay ?? {}, { small: answered })],
  ])('with an answer to a guest: %s is filtered', (_, more) => {
    const facts = spoiled(filtered);
    more(facts);
    facts.guest = { ...guest, small: answered, full: answered };
    const { verdict, findings } = explain(facts);
    expect(verdict).toEqual({ works: true, says: `works: the guest has an answer from ${ADDRESS}` });
    expect(findings.filter(({ level }) => level === 'bad' || level === 'warn')).toEqual([]);
  });

  it('without an answer to ping no command to overwrite the record is suggested', () => {
    const { verdict } = explain(spoiled(filtered));
    expect(verdict).toMatchObject({ works: true, cause: 'vtep_unreachable' });
    expect(verdict.next).toBe(`missd explain 100 ${ADDRESS} --netns h1 --from <GUEST-NETNS>`);
  });

  it('a recent frame out of the tunnel counts as an answer, too', () => {
    const recently = spoiled(filtered);
    heardFrom(recently, 2000);
    expect(explain(recently).verdict).not.toHaveProperty('cause');
    const before = spoiled(filtered);
    heardFrom(before, 200_000);
    expect(explain(before).verdict.cause).toBe('vtep_unreachable');
    const lost = spoiled(filtered);
    heardFrom(lost, 2000);
    lost.guest = { ...guest, small: nobody, full: nobody };
    expect(explain(lost).verdict).toMatchObject({ works: false, cause: 'wrong_vtep' });
  });

  it('a local guest that the bridge had learned behind the tunnel', () => {
    const facts = spoiled(silent);
    facts.expected = { mac: MAC, vtep: vtep(1), router: false, source: record };
    facts.device.heard = [{ mac: mac(9), port: 'g2', ago: 10 }];
    heardFrom(facts, 2000);
    expect(explain(facts).verdict).toMatchObject({
      works: false,
      cause: 'bridge_memory',
      next: `bridge -n h1 fdb del ${MAC} dev vx master`,
    });
    delete facts.bridged;
    facts.guest = { ...guest, small: answered, full: answered };
    expect(explain(facts).verdict).not.toHaveProperty('cause');
  });
});

/** Which guests count as a host's own; the kernel is a fake, and a guest answers probes where a test says so. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FoldedLog } from '../../../src/base/log.ts';
import type { Sender } from '../../../src/base/vocabulary.ts';
import type { Network } from '../../../src/directory/network.ts';
import { NUD_PERMANENT, NUD_STALE } from '../../../src/kernel/netlink.ts';
import type { ServedDevice } from '../../../src/model/device.ts';
import { type GuestChange, LocalGuests } from '../../../src/publish/local-guests.ts';
import { BRIDGE, GUEST, VXLAN, World, ip, link, mac, turns } from '../fake/world.ts';

const network: Network = {
  ...{ name: 'blue', vni: 100, mode: 'bridged', subnet: '20.0.0.0/16', subnet6: '2001:db8::/64' },
  ...{ leaseLength: 24, port: 4789, mtu: 'auto', gateway: '20.0.0.254', publish: 'learned', lease: 30 },
  ...{ portsLimit: 4, anycast: ['20.0.0.253'] },
};
const SECOND_PORT = 7;
const SILENCE = 60_000;
const IP6 = '2001:db8::1';

let world: World;
let device: ServedDevice;
let guests: LocalGuests;
let changes: GuestChange[];

function learn(given: Partial<Network> = {}): LocalGuests {
  const deps = { now: world.now, log: new FoldedLog(world.log, world.now), faults: world.deps.report };
  guests = new LocalGuests(device, { ...network, ...given }, deps);
  guests.changes$.subscribe({
    next: (change) => changes.push(change),
    error: (error: unknown) => expect.fail(String(error)),
  });
  return guests;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout', 'Date'] });
  world = new World();
  device = world.device();
  world.kernel.setLink(link('p1', SECOND_PORT, { master: BRIDGE }));
  changes = [];
  learn();
});
afterEach(() => {
  guests.stop();
  vi.useRealTimers();
});

const hear = (...senders: Partial<Sender>[]): void => {
  const all = senders.map((one): Sender => ({ port: GUEST, mac: mac(1), kind: 'arp', ...one }));
  guests.onSenders({ type: 'senders', senders: all, passedOver: [], lost: 0 });
};
const learned = (n: number, port = GUEST): void => {
  world.kernel.putBridgeFdb(BRIDGE, port, mac(n));
  const row = world.kernel.bridgeFdbEntry(BRIDGE, mac(n));
  if (row !== undefined) guests.onRows([{ removed: false, row }]);
};
const taken = (): GuestChange[] => changes.splice(0);
const known = (): Record<string, string[]> =>
  Object.fromEntries([...guests.known()].map((guest) => [guest.mac, [...guest.ips.keys()]]));
/** Guests that answer probes, as `MAC IP`. */
function answering(...pairs: string[]): void {
  world.kernel.onProbe = ({ port, lladdr, ip: address }) => {
    if (pairs.includes(`${lladdr} ${address}`)) hear({ port, mac: lladdr, ip: address });
  };
}
async function later(ms: number): Promise<void> {
  world.time += ms;
  guests.tick();
  await vi.advanceTimersByTimeAsync(400);
}
const probed = (): string[] =>
  world.kernel.probes.splice(0).map(({ port, lladdr, ip: address }) => `${port} ${lladdr} ${address}`);

describe('a guest', () => {
  it('is found in the bridge’s FDB and neighbour table at start', async () => {
    world.kernel.putBridgeFdb(BRIDGE, GUEST, mac(1));
    world.kernel.putBridgeFdb(BRIDGE, SECOND_PORT, mac(2));
    world.kernel.putBridgeFdb(BRIDGE, VXLAN, mac(3));
    world.kernel.putBridgeFdb(BRIDGE, GUEST, mac(4), 0, NUD_PERMANENT);
    const row = { ifindex: BRIDGE, state: NUD_STALE, flags: 0, protocol: 0 };
    world.kernel.putNeighbour({ ...row, ip: ip(1), lladdr: mac(1) });
    world.kernel.putNeighbour({ ...row, ip: ip(9), lladdr: mac(9) });
    world.kernel.putNeighbour({ ...row, ip: '20.0.0.254', lladdr: mac(2) });
    await guests.start();
    expect(device.learning).toBe(true);
    expect(known()).toEqual({ [mac(1)]: [ip(1)], [mac(2)]: [] });
    expect(taken()).toEqual([
      { type: 'seen', mac: mac(1), port: GUEST, ips: [], announced: false },
      { type: 'seen', mac: mac(2), port: SECOND_PORT, ips: [], announced: false },
      { type: 'seen', mac: mac(1), port: GUEST, ips: [ip(1)], announced: false },
    ]);
    guests.stop();
    expect(device.learning).toBe(false);
  });

  it('is learned from its frames, all addresses of one read together', () => {
    hear({ ip: ip(1) }, { ip: IP6, kind: 'nd' }, { mac: mac(2), ip: ip(2), port: SECOND_PORT });
    expect(taken()).toEqual([
      { type: 'seen', mac: mac(1), port: GUEST, ips: [ip(1), IP6], announced: true },
      { type: 'seen', mac: mac(2), port: SECOND_PORT, ips: [ip(2)], announced: true },
    ]);
    hear({ ip: ip(1) });
    expect(taken()).toEqual([{ type: 'seen', mac: mac(1), port: GUEST, ips: [ip(1)], announced: true }]);
  });

  it('is known with what each address was learned from', async () => {
    world.kernel.putBridgeFdb(BRIDGE, GUEST, mac(1));
    const row = { ifindex: BRIDGE, state: NUD_STALE, flags: 0, protocol: 0 };
    world.kernel.putNeighbour({ ...row, ip: ip(3), lladdr: mac(1) });
    await guests.start();
    hear({ ip: ip(1) }, { ip: IP6, kind: 'nd' });
    const from = (): Record<string, string> =>
      Object.fromEntries([...(guests.get(mac(1))?.learnedFrom ?? [])].map(([of = 'MAC', by]) => [of, by]));
    expect(from()).toEqual({ MAC: 'FDB', [ip(3)]: 'neighbour table', [ip(1)]: 'ARP', [IP6]: 'ND' });
    guests.forget(mac(1), [ip(3)]);
    hear({ kind: 'rarp' });
    expect(from()).toEqual({ MAC: 'RARP', [ip(1)]: 'ARP', [IP6]: 'ND' });
  });

  it('is known by its MAC alone from RARP, and from a bridge that learned it', () => {
    hear({ kind: 'rarp' });
    learned(2);
    expect(taken()).toEqual([
      { type: 'seen', mac: mac(1), port: GUEST, ips: [], announced: true },
      { type: 'seen', mac: mac(2), port: GUEST, ips: [], announced: false },
    ]);
    learned(2);
    expect(taken()).toEqual([]);
  });

  it('does not have an address during duplicate address detection, until it answers for it', async () => {
    hear({ ip: IP6, kind: 'dad' }, { ip: ip(1), kind: 'dad' });
    expect(known()).toEqual({ [mac(1)]: [] });
    probed();
    answering(`${mac(1)} ${IP6}`);
    await vi.advanceTimersByTimeAsync(1_600);
    expect(known()).toEqual({ [mac(1)]: [IP6] });
    expect(probed()).toEqual([`${GUEST} ${mac(1)} ${IP6}`]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(probed()).toEqual([]);
    hear({ ip: '2001:db8::2', kind: 'dad' });
    guests.onPort(GUEST, 'gone');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(probed()).toEqual([]);
  });

  it.each([
    ['outside the subnets', '20.1.0.1', 'outside'],
    ['outside the IPv6 subnet', '2001:db8:1::1', 'outside'],
    ['the first of the subnet', '20.0.0.0', 'outside'],
    ['the last of the subnet', '20.0.255.255', 'outside'],
    ['the gateway', '20.0.0.254', 'gateway'],
    ['an anycast address', '20.0.0.253', 'anycast'],
    ['an address of this host', '20.0.0.7', 'host'],
  ] as const)('does not get %s', (_, address, reason) => {
    world.assigned.add('20.0.0.7');
    hear({ ip: address });
    expect(taken()).toEqual([]);
    expect(guests.refused[reason]).toBe(1);
    const said = world.lines.filter((line) => line.includes(mac(1)) && line.includes(`port${GUEST}`));
    expect(said).toHaveLength(reason === 'outside' ? 0 : 1);
  });

  it('has no MAC of this host, and no multicast MAC', () => {
    hear({ mac: mac(0xff00 + BRIDGE), ip: ip(1) }, { mac: '01:00:5e:00:00:01', ip: ip(2) });
    expect(known()).toEqual({});
  });

  it('is behind a port of this bridge that has a carrier', () => {
    world.kernel.setLink(link('p8', 8, { master: BRIDGE + 100 }));
    world.kernel.setLink(link('p9', 9, { master: BRIDGE, noCarrier: true }));
    world.kernel.setLink(link('eth0', 10, { master: BRIDGE, kind: '' }));
    for (const port of [8, 9, 10, 11, VXLAN]) {
      hear({ port, ip: ip(1) });
      learned(2, port);
    }
    expect(known()).toEqual({});
  });

  it('follows its MAC to another port of this host', () => {
    hear({ ip: ip(1) });
    taken();
    learned(1, SECOND_PORT);
    expect(taken()).toEqual([
      { type: 'seen', mac: mac(1), port: SECOND_PORT, ips: [ip(1)], announced: false },
    ]);
    guests.onPort(GUEST, 'gone');
    expect(known()).toEqual({ [mac(1)]: [ip(1)] });
    hear({ ip: ip(1) });
    expect(taken()).toMatchObject([{ port: GUEST }]);
  });

  it.each(['down', 'gone'] as const)('goes with its port (%s)', (state) => {
    hear({ ip: ip(1) }, { mac: mac(2), ip: ip(2) }, { mac: mac(3), port: SECOND_PORT });
    taken();
    guests.onPort(GUEST, state);
    expect(taken()).toEqual([
      { type: 'gone', mac: mac(1), why: 'port' },
      { type: 'gone', mac: mac(2), why: 'port' },
    ]);
    expect(known()).toEqual({ [mac(3)]: [] });
  });
});

describe('a silent guest', () => {
  it('stays without a probe if its port has a single MAC', async () => {
    hear({ ip: ip(1) });
    probed();
    await later(10 * SILENCE);
    expect(probed()).toEqual([]);
    expect(known()).toEqual({ [mac(1)]: [ip(1)] });
  });

  it('is probed at its port only if the port has several MACs, and is removed without an answer', async () => {
    hear({ ip: ip(1) }, { mac: mac(2), ip: ip(2) }, { mac: mac(2), ip: IP6 });
    taken();
    answering(`${mac(1)} ${ip(1)}`, `${mac(2)} ${IP6}`);
    await later(SILENCE - 1);
    expect(probed()).toEqual([]);
    await later(1);
    expect(probed().filter((one) => one.includes(mac(2)) && one.endsWith(ip(2)))).toHaveLength(3);
    expect(changes).toContainEqual({ type: 'gone', mac: mac(2), ips: [ip(2)], why: 'silent' });
    expect(known()).toEqual({ [mac(1)]: [ip(1)], [mac(2)]: [IP6] });
  });

  it('is removed with its last address', async () => {
    hear({ ip: ip(1) }, { mac: mac(2), ip: ip(2) });
    answering(`${mac(1)} ${ip(1)}`);
    await later(SILENCE);
    expect(changes).toContainEqual({ type: 'gone', mac: mac(2), why: 'silent' });
    expect(known()).toEqual({ [mac(1)]: [ip(1)] });
  });

  it('without an address stays as long as the bridge hears it', async () => {
    hear({ ip: ip(1) });
    learned(2);
    answering(`${mac(1)} ${ip(1)}`);
    world.time += SILENCE - 1;
    world.kernel.putBridgeFdb(BRIDGE, GUEST, mac(2));
    await later(1);
    expect(Object.keys(known())).toContain(mac(2));
    await later(SILENCE);
    expect(Object.keys(known())).not.toContain(mac(2));
  });
});

describe('a probe', () => {
  it('is true when the guest answers, the third time at the latest', async () => {
    hear({ ip: ip(1) });
    let asked = 0;
    world.kernel.onProbe = () => {
      if (++asked === 3) hear({ ip: ip(1) });
    };
    const answer = guests.probe(mac(1), ip(1));
    await vi.advanceTimersByTimeAsync(250);
    expect(await answer).toBe(true);
  });

  it('is false after three questions; the answer of another guest does not count', async () => {
    hear({ ip: ip(1) });
    probed();
    world.kernel.onProbe = () => {
      hear(
        { mac: mac(2), ip: ip(1) },
        { ip: ip(1), port: SECOND_PORT, mac: mac(3) },
        { ip: ip(1), kind: 'dad' },
      );
    };
    const answers = [guests.probe(mac(1), ip(1)), guests.probe(mac(1), ip(1))];
    await vi.advanceTimersByTimeAsync(301);
    expect(await Promise.all(answers)).toEqual([false, false]);
    expect(probed().filter((one) => one === `${GUEST} ${mac(1)} ${ip(1)}`)).toHaveLength(3);
  });

  it('is false at once for an unknown guest, or one whose port is down or is removed', async () => {
    expect(await guests.probe(mac(1), ip(1))).toBe(false);
    hear({ ip: ip(1) });
    const asked = guests.probe(mac(1), ip(1));
    guests.onPort(GUEST, 'down');
    expect(await asked).toBe(false);
    hear({ ip: ip(1) });
    world.kernel.setLink(link('p0', GUEST, { master: BRIDGE, noCarrier: true }));
    expect(await guests.probe(mac(1), ip(1))).toBe(false);
  });

  it('throws nothing in a closed namespace', async () => {
    hear({ ip: ip(1) });
    world.kernel.onProbe = () => {
      throw new Error('the namespace is closed');
    };
    const asked = guests.probe(mac(1), ip(1));
    await vi.advanceTimersByTimeAsync(301);
    expect(await asked).toBe(false);
    expect(world.counters.internalErrors.guests).toBeGreaterThan(0);
  });
});

describe('a bad guest', () => {
  it('gets a bounded number of addresses, and one a second more in place of the least recently used', () => {
    for (let n = 1; n <= 100; n++) hear({ ip: ip(n) });
    expect(known()).toEqual({ [mac(1)]: [2, 3, 4, 5].map(ip) });
    expect(taken().filter(({ type }) => type === 'gone')).toEqual([
      { type: 'gone', mac: mac(1), ips: [ip(1)], why: 'limit' },
    ]);
    expect(guests.refused.limit).toBe(96);
    world.time += 500;
    hear({ ip: ip(2) });
    world.time += 500;
    hear({ ip: ip(200) });
    expect(known()).toEqual({ [mac(1)]: [2, 4, 5, 200].map(ip) });
    hear({ port: SECOND_PORT, mac: mac(2), ip: ip(300) });
    expect(known()[mac(2)]).toEqual([ip(300)]);
    expect(world.lines.filter((line) => line.includes('ports-limit'))).toHaveLength(1);
  });

  it('gets no more MACs than addresses', () => {
    for (let n = 1; n <= 100; n++) learned(n);
    expect(Object.keys(known())).toHaveLength(4);
    expect(taken().filter(({ type }) => type === 'gone')).toEqual([
      { type: 'gone', mac: mac(1), why: 'limit' },
    ]);
    for (let n = 201; n <= 300; n++) hear({ mac: mac(n), ip: ip(n) });
    expect(Object.keys(known())).toHaveLength(4);
  });

  it('costs no more if it fills the bridge’s table', async () => {
    for (let n = 1; n <= 1_000; n++) world.kernel.putBridgeFdb(BRIDGE, GUEST, mac(n));
    world.kernel.putBridgeFdb(BRIDGE, SECOND_PORT, mac(2_000));
    await guests.start();
    expect(Object.keys(known())).toHaveLength(4 + 1);
    // The first guest without a place is counted and named, the others are not read.
    expect(guests.refused.limit).toBe(1);
    expect(world.lines.filter((line) => line.includes('ports-limit'))).toHaveLength(1);
  });

  it('is named if the kernel received more frames of it than are reported', () => {
    const passedOver = [{ port: GUEST, mac: mac(5), count: 1_000 }];
    guests.onSenders({ type: 'senders', senders: [], passedOver, lost: 3 });
    expect(guests.refused.excess).toBe(1_003);
    expect(world.lines.filter((line) => line.includes(mac(5)))).toHaveLength(1);
  });
});

describe('discovery', () => {
  it('asks a MAC without an address for each address of a small subnet', async () => {
    learn({ subnet: '20.0.0.0/24' });
    answering(`${mac(1)} ${ip(77)}`);
    learned(1);
    await vi.advanceTimersByTimeAsync(100);
    expect(known()).toEqual({ [mac(1)]: [ip(77)] });
    expect(probed()).toHaveLength(254);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(probed()).toEqual([]);
  });

  it('asks again while the guest has none, and ends with its port', async () => {
    learn({ subnet: '20.0.0.0/24' });
    learned(1);
    await vi.advanceTimersByTimeAsync(1_100);
    expect(probed()).toHaveLength(2 * 254);
    guests.onPort(GUEST, 'gone');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(probed()).toEqual([]);
  });

  it('asks for no address of a large subnet', async () => {
    learned(1);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(probed()).toEqual([]);
  });
});

describe('rows that were missed', () => {
  it('are read again, at most once in ten seconds', async () => {
    await guests.start();
    world.kernel.putBridgeFdb(BRIDGE, GUEST, mac(1));
    guests.missRows();
    await later(1_000);
    expect(known()).toEqual({});
    await later(9_000);
    await turns();
    expect(Object.keys(known())).toEqual([mac(1)]);
  });

  it('of another bridge are read at once, and guests of the former bridge are removed', async () => {
    hear({ ip: ip(1) });
    world.kernel.setLink(link('p0', GUEST, { master: BRIDGE + 100 }));
    await guests.onBridged();
    expect(known()).toEqual({});
    expect(changes.at(-1)).toEqual({ type: 'gone', mac: mac(1), why: 'port' });
  });

  it('are the only loss if the bridge cannot be read', async () => {
    world.kernel.dumpFailure = 'ENOMEM';
    await guests.start();
    expect(world.counters.internalErrors.guests).toBe(1);
    hear({ ip: ip(1) });
    expect(known()).toEqual({ [mac(1)]: [ip(1)] });
  });
});

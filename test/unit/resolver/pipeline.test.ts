import { questionsOf } from '../../../src/model/device-questions.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Miss } from '../../../src/base/vocabulary.ts';
import { GUEST, HERE, LOOKUP_RATE, NEGATIVE_LIFETIME, VNI, ip, mac, turns, vtep } from '../fake/world.ts';
import { Asking, asker, l2, l3 } from './asking.ts';

let world: Asking;

beforeEach(() => {
  world = new Asking();
});

afterEach(() => {
  expect(world.unaccounted()).toBe(0);
});

describe('a miss', () => {
  it('is resolved: entries, an announcement to the asker, its time measured', async () => {
    world.record(1);
    await world.miss(l3(1));
    expect(world.outcomes).toEqual(['resolved']);
    expect(world.neighbours(world.served)).toEqual({ [ip(1)]: mac(1) });
    const to = { lladdr: mac(0xa01), ip: ip(0xa01) };
    expect(world.kernel.announced).toEqual([{ port: GUEST, ip: ip(1), lladdr: mac(1), to, router: false }]);
    expect(world.counters.resolutionSeconds.cumulative().at(-1)?.count).toBe(1);
    expect(world.counters.resolutions.l3.resolved).toBe(1);
  });

  it('of layer 2 is answered by the mac: record, else a lease, else the ip: record of an address with the MAC', async () => {
    world.served.tables.remember(mac(3), ip(3));
    world.record(3, vtep(3));
    world.directory.lease(VNI, '20.9.0.0/24', `${mac(2)} ${vtep(4)}`);
    world.directory.set(VNI, 'mac', mac(1), vtep(5));
    await world.miss(l2(1), l2(2), l2(3), l2(4));
    expect([...world.outcomes].sort()).toEqual(['resolved', 'resolved', 'resolved', 'unknown']);
    expect(world.fdb(world.served)).toEqual({ [mac(1)]: vtep(5), [mac(2)]: vtep(4), [mac(3)]: vtep(3) });
    expect(world.kernel.announced).toEqual([]);
  });

  it('for a lease is answered by the longest prefix, and by an ip: record first', async () => {
    world.directory.lease(VNI, '20.0.0.0/16', `${mac(8)} ${vtep(8)}`);
    world.directory.lease(VNI, '20.0.0.0/24', `${mac(9)} ${vtep(9)}`);
    world.record(2);
    await world.miss(l3(1), l3(2), l3(0x100));
    expect(world.neighbours(world.served)).toEqual({ [ip(1)]: mac(9), [ip(2)]: mac(2), [ip(0x100)]: mac(8) });
  });

  it.each(['0.0.0.0', '::'])(
    'of duplicate address detection (from %s) gets no entry from a lease, and a later question is looked up again',
    async (unspecified) => {
      world.directory.lease(VNI, '20.0.0.0/16', `${mac(8)} ${vtep(8)}`);
      world.record(2);
      const probe = { asker: { ...asker(1), ip: unspecified } };
      await world.miss(l3(1, probe), l3(2, probe));
      expect([...world.outcomes].sort()).toEqual(['resolved', 'unknown']);
      expect(world.neighbours(world.served)).toEqual({ [ip(2)]: mac(2) });
      await world.miss(l3(1));
      expect(world.neighbours(world.served)).toEqual({ [ip(1)]: mac(8), [ip(2)]: mac(2) });
    },
  );

  it('of duplicate address detection that an ordinary question joins is answered by a lease', async () => {
    world.directory.lease(VNI, '20.0.0.0/16', `${mac(8)} ${vtep(8)}`);
    world.directory.hold();
    await world.miss(l3(1, { asker: { ...asker(1), ip: '0.0.0.0' } }), l3(1, { asker: asker(2) }));
    world.directory.release();
    await turns();
    expect(world.neighbours(world.served)).toEqual({ [ip(1)]: mac(8) });
  });

  it('for an address without a record is unknown, and remembered', async () => {
    await world.miss(l3(1));
    await world.miss(l3(1));
    expect(world.outcomes).toEqual(['unknown']);
    expect(world.counters.ignored.negative).toBe(1);
    world.time += NEGATIVE_LIFETIME;
    await world.miss(l3(1));
    expect(world.outcomes).toEqual(['unknown', 'unknown']);
  });

  it('for an unknown address is resolved as soon as a record appears', async () => {
    await world.miss(l3(1));
    world.record(1);
    world.changed(1);
    await world.miss(l3(1));
    expect(world.outcomes).toEqual(['unknown', 'resolved']);
  });

  it('for a malformed record is unknown', async () => {
    world.directory.set(VNI, 'ip', ip(1), 'ff:ff:ff:ff:ff:ff 10.99.0.2');
    await world.miss(l3(1));
    expect(world.outcomes).toEqual(['unknown']);
    expect(world.counters.malformedRecords.get('mac')).toBe(1);
  });

  it('for a link-local address without a record is ignored', async () => {
    await world.miss(l3(1, { address: 'fe80::1' }));
    expect(world.counters.ignored.link_local).toBe(1);
    expect(world.counters.resolutions.l3.unknown).toBe(0);
  });

  it('for this host is local, and remembered', async () => {
    world.record(1, HERE);
    await world.miss(l3(1));
    await world.miss(l3(1));
    expect(world.counters.resolutions.l3.local).toBe(2);
    expect(world.directory.reads).toHaveLength(1);
    expect(world.kernel.written).toEqual([]);
  });

  it('whose entry the kernel refuses fails, and is asked again', async () => {
    world.record(1);
    world.kernel.refuse = () => 'ENOBUFS';
    await world.miss(l3(1));
    world.kernel.refuse = () => undefined;
    await world.miss(l3(1));
    expect(world.outcomes).toEqual(['failed', 'resolved']);
  });

  it('fails if the kernel does not answer, and the stream goes on', async () => {
    world.record(1);
    const write = world.kernel.write.bind(world.kernel);
    world.kernel.write = () => {
      throw new Error('broken');
    };
    await world.miss(l3(1));
    world.kernel.write = write;
    await world.miss(l3(1));
    expect(world.outcomes).toEqual(['failed', 'resolved']);
  });

  it('for the unspecified address costs its port as much as an unknown address, and many are a flood', async () => {
    const floods: number[] = [];
    world.admission.onExcess = (_, lane) => floods.push(lane.port);
    await world.miss(l3(1, { address: '0.0.0.0' }), l3(1, { address: '::' }));
    expect(world.counters.ignored.unspecified).toBe(2);
    expect(world.outcomes).toEqual([]);
    expect(floods).toEqual([]);
    await world.miss(l3(1, { address: '0.0.0.0', count: 20 * LOOKUP_RATE }));
    expect(floods).toEqual([GUEST]);
    expect(world.counters.ignored.unspecified).toBe(3);
    expect(questionsOf(world.served).inFlight.size).toBe(0);
  });

  it('on a device that is not served is ignored, and a repeated one counts as a duplicate', async () => {
    await world.miss(l3(1, { ifindex: 77 }), l3(2, { count: 3 }));
    expect(world.counters.ignored).toMatchObject({ unserved: 1, duplicate: 2 });
    expect(world.counters.misses.l3).toBe(4);
  });
});

describe('misses for one address', () => {
  it('are one question, and every asker gets one announcement', async () => {
    world.record(1);
    world.directory.hold();
    world.raise(l3(1), l3(1, { asker: asker(2) }), l3(1, { asker: asker(2) }));
    world.raise(l3(1, { asker: asker(3) }));
    world.directory.release();
    await turns();
    expect(world.directory.reads).toHaveLength(1);
    expect(world.counters.ignored.in_flight).toBe(3);
    expect(world.kernel.announced.map(({ to }) => to?.ip)).toEqual([1, 2, 3].map((n) => asker(n).ip));
  });

  it('are looked up in one read, for any number of addresses', async () => {
    for (let n = 1; n <= 200; n++) world.record(n);
    world.directory.hold();
    world.raise(l3(1));
    world.raise(l3(2));
    for (let n = 3; n <= 200; n++) world.raise(l3(n));
    expect(world.directory.waiting).toBe(2);
    world.directory.release();
    await turns();
    expect(world.directory.reads.map((keys) => keys.length)).toEqual([1, 1, 198]);
    expect(world.outcomes).toEqual(Array(200).fill('resolved'));
  });
});

describe('a change while a question is in flight', () => {
  it('causes another lookup, so that the answer is not older than the change', async () => {
    world.record(1);
    world.directory.hold();
    world.raise(l3(1));
    world.record(1, vtep(3));
    world.changed(1);
    world.directory.release();
    await turns();
    expect(world.fdb(world.served)).toEqual({ [mac(1)]: vtep(3) });
    expect(world.outcomes).toEqual(['resolved']);
    expect(world.directory.reads).toHaveLength(2);
  });

  it('causes another lookup if an L2 miss is answered from the changed ip: record', async () => {
    world.served.tables.remember(mac(1), ip(1));
    world.served.tables.remember(mac(1), ip(2));
    world.directory.set(VNI, 'ip', ip(2), `${mac(1)} ${vtep(2)}`);
    world.directory.hold();
    world.raise(l2(1));
    world.directory.set(VNI, 'ip', ip(2), `${mac(1)} ${vtep(3)}`);
    world.changed(2);
    world.directory.release();
    await turns();
    expect(world.fdb(world.served)).toEqual({ [mac(1)]: vtep(3) });
    expect(world.directory.reads).toHaveLength(2);
    expect(questionsOf(world.served).reading.size).toBe(0);
  });

  it('during a lookup that failed leaves no reader behind', async () => {
    world.served.tables.remember(mac(1), ip(1));
    world.directory.hold();
    world.raise(l2(1));
    expect(questionsOf(world.served).reading.size).toBe(1);
    world.admission.abandon(world.served);
    world.directory.release();
    await turns();
    expect(questionsOf(world.served).reading.size).toBe(0);
  });

  it('leaves no outdated address in the negative cache', async () => {
    world.directory.hold();
    world.raise(l3(1));
    world.record(1);
    world.changed(1);
    world.directory.release();
    await turns();
    expect(world.outcomes).toEqual(['resolved']);
  });
});

describe('a port that asks for unknown addresses', () => {
  const OTHER = GUEST + 1;
  const greedy = (n: number): Miss => l3(n);
  const innocent = (n: number): Miss => l3(n, { asker: { ...asker(2), port: OTHER } });
  const flood = async (): Promise<void> => {
    await world.miss(...Array.from({ length: 3_000 }, (_, n) => greedy(1_000 + n)));
  };

  it('is answered within its budget; questions beyond it are dropped, and counted for the port', async () => {
    await flood();
    expect(world.counters.resolutions.l3.unknown).toBe(LOOKUP_RATE / 4);
    await world.miss(greedy(1));
    expect(world.counters.resolutions.l3.shed).toBe(1);
    expect(questionsOf(world.served).lanes.get(GUEST)?.dropped).toBe(1);
    world.time += 3_000;
    await world.miss(innocent(9));
    expect(world.counters.resolutions.l3.shed).toBeGreaterThan(2_000);
    expect(world.unaccounted()).toBe(0);
  });

  it('does not delay other ports', async () => {
    await flood();
    world.record(1);
    await world.miss(innocent(1));
    expect(world.outcomes.at(-1)).toBe('resolved');
  });

  it('does not keep an address from another port by asking for it first', async () => {
    world.record(3_500);
    await flood();
    await world.miss(innocent(3_500));
    expect(world.outcomes.at(-1)).toBe('resolved');
    expect(world.kernel.announced.map(({ port }) => port)).toEqual([GUEST, OTHER]);
  });

  it('leaves room for the questions of other ports while the directory is away', () => {
    world.directory.hold();
    for (let first = 1_000; first < 141_000; first += 1_000)
      world.raise(...Array.from({ length: 1_000 }, (_, n) => greedy(first + n)));
    expect(world.counters.resolutions.l3.shed).toBe(140_000 - 131_072);
    world.raise(innocent(1));
    expect(world.counters.resolutions.l3.shed).toBe(140_000 - 131_072);
  });
});

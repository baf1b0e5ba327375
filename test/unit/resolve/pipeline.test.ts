import { Subject } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { forgetAbsence } from '../../../src/keep/changes.ts';
import { type MissBatch, type Settled, resolveMisses } from '../../../src/resolve/pipeline.ts';
import type { ServedDevice } from '../../../src/served/device.ts';
import type { Asker, Miss } from '../../../src/vocabulary.ts';
import {
  GUEST,
  HERE,
  NEGATIVE_LIFETIME,
  VNI,
  VXLAN,
  World,
  ip,
  mac,
  turns,
  vtep,
  watch,
} from '../fake/world.ts';

let world: World;
let device: ServedDevice;
let batches$: Subject<MissBatch>;
let settled: Settled[];

beforeEach(() => {
  world = new World();
  device = world.device();
  settled = [];
  batches$ = new Subject();
  watch(resolveMisses(batches$, world.deps), (some) => settled.push(...some));
});

afterEach(() => {
  vi.useRealTimers();
  expect(world.unaccounted()).toBe(0);
});

const asker = (n: number): Asker => ({ port: GUEST, lladdr: mac(0xa00 + n), ip: ip(0xa00 + n) });
const l3 = (n: number, rest: Partial<Miss> = {}): Miss => ({
  layer: 'l3',
  ifindex: VXLAN,
  address: ip(n),
  state: 4,
  count: 1,
  asker: asker(1),
  ...rest,
});
const l2 = (n: number): Miss => ({ layer: 'l2', ifindex: VXLAN, address: mac(n), state: 4, count: 1 });

function raise(...misses: Miss[]): void {
  batches$.next({ misses, deviceOf: world.deviceOf });
  expect(world.unaccounted()).toBe(0);
}

async function miss(...misses: Miss[]): Promise<void> {
  raise(...misses);
  await turns();
}

const record = (n: number, behind = vtep(2)): void => {
  world.directory.set(VNI, 'ip', ip(n), `${mac(n)} ${behind}`);
};
const outcomes = (): string[] => settled.map(({ outcome }) => outcome);

function changed(n: number): void {
  forgetAbsence({ type: 'records', keys: [{ vni: VNI, kind: 'ip', address: ip(n) }] }, world.devices);
}

describe('a miss', () => {
  it('is resolved: entries, an answer for the asker, its time taken', async () => {
    record(1);
    await miss(l3(1));
    expect(outcomes()).toEqual(['resolved']);
    expect(world.neighbours(device)).toEqual({ [ip(1)]: mac(1) });
    const to = { lladdr: mac(0xa01), ip: ip(0xa01) };
    expect(world.kernel.announced).toEqual([{ port: GUEST, ip: ip(1), lladdr: mac(1), to, router: false }]);
    expect(world.counters.resolutionSeconds.cumulative().at(-1)?.count).toBe(1);
    expect(world.counters.resolutions.l3.resolved).toBe(1);
  });

  it('of layer 2 is answered by the mac: record, else a lease, else the ip: record of an address with the MAC', async () => {
    device.tables.remember(mac(3), ip(3));
    record(3, vtep(3));
    world.directory.lease(VNI, '20.9.0.0/24', `${mac(2)} ${vtep(4)}`);
    world.directory.set(VNI, 'mac', mac(1), vtep(5));
    await miss(l2(1), l2(2), l2(3), l2(4));
    expect(outcomes()).toEqual(['unknown', 'resolved', 'resolved', 'resolved']);
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(5), [mac(2)]: vtep(4), [mac(3)]: vtep(3) });
    expect(world.kernel.announced).toEqual([]);
  });

  it('for a lease is answered by the longest prefix, and by an ip: record before any', async () => {
    world.directory.lease(VNI, '20.0.0.0/16', `${mac(8)} ${vtep(8)}`);
    world.directory.lease(VNI, '20.0.0.0/24', `${mac(9)} ${vtep(9)}`);
    record(2);
    await miss(l3(1), l3(2), l3(0x100));
    expect(world.neighbours(device)).toEqual({ [ip(1)]: mac(9), [ip(2)]: mac(2), [ip(0x100)]: mac(8) });
  });

  it('for what nobody has is unknown, and remembered', async () => {
    await miss(l3(1));
    await miss(l3(1));
    expect(outcomes()).toEqual(['unknown']);
    expect(world.counters.ignored.negative).toBe(1);
    world.time += NEGATIVE_LIFETIME;
    await miss(l3(1));
    expect(outcomes()).toEqual(['unknown', 'unknown']);
  });

  it('for what nobody had is resolved as soon as a record appears', async () => {
    await miss(l3(1));
    record(1);
    changed(1);
    await miss(l3(1));
    expect(outcomes()).toEqual(['unknown', 'resolved']);
  });

  it('for a malformed record is unknown', async () => {
    world.directory.set(VNI, 'ip', ip(1), 'ff:ff:ff:ff:ff:ff 10.99.0.2');
    await miss(l3(1));
    expect(outcomes()).toEqual(['unknown']);
    expect(world.counters.malformedRecords.get('mac')).toBe(1);
  });

  it('for a link-local address that nobody published is noise', async () => {
    await miss(l3(1, { address: 'fe80::1' }));
    expect(world.counters.ignored.link_local).toBe(1);
    expect(world.counters.resolutions.l3.unknown).toBe(0);
  });

  it('for this host is local, and remembered', async () => {
    record(1, HERE);
    await miss(l3(1));
    await miss(l3(1));
    expect(world.counters.resolutions.l3.local).toBe(2);
    expect(world.directory.reads).toHaveLength(1);
    expect(world.kernel.written).toEqual([]);
  });

  it('that the kernel refuses to have answered failed, and is asked again', async () => {
    record(1);
    world.kernel.refuse = () => 'ENOBUFS';
    await miss(l3(1));
    world.kernel.refuse = () => undefined;
    await miss(l3(1));
    expect(outcomes()).toEqual(['failed', 'resolved']);
  });

  it('in a kernel that does not even answer failed, and the stream lives on', async () => {
    record(1);
    const write = world.kernel.write.bind(world.kernel);
    world.kernel.write = () => {
      throw new Error('broken');
    };
    await miss(l3(1));
    world.kernel.write = write;
    await miss(l3(1));
    expect(outcomes()).toEqual(['failed', 'resolved']);
  });

  it('on a device that is not served is ignored, said twice counts as a duplicate', async () => {
    await miss(l3(1, { ifindex: 77 }), l3(2, { count: 3 }));
    expect(world.counters.ignored).toMatchObject({ unserved: 1, duplicate: 2 });
    expect(world.counters.misses.l3).toBe(4);
  });
});

describe('misses for one address', () => {
  it('are one question, and every asker is told once', async () => {
    record(1);
    world.directory.hold();
    raise(l3(1), l3(1, { asker: asker(2) }), l3(1, { asker: asker(2) }));
    raise(l3(1, { asker: asker(3) }));
    world.directory.release();
    await turns();
    expect(world.directory.reads).toHaveLength(1);
    expect(world.counters.ignored.in_flight).toBe(3);
    expect(world.kernel.announced.map(({ to }) => to?.ip)).toEqual([1, 2, 3].map((n) => asker(n).ip));
  });

  it('travel in one read, whatever number of addresses they are for', async () => {
    for (let n = 1; n <= 200; n++) record(n);
    world.directory.hold();
    raise(l3(1));
    raise(l3(2));
    for (let n = 3; n <= 200; n++) raise(l3(n));
    expect(world.directory.waiting).toBe(2);
    world.directory.release();
    await turns();
    expect(world.directory.reads.map((keys) => keys.length)).toEqual([1, 1, 198]);
    expect(outcomes()).toEqual(Array(200).fill('resolved'));
  });
});

describe('a change while a question is in flight', () => {
  it('asks again, so that the answer is not older than the change', async () => {
    record(1);
    world.directory.hold();
    raise(l3(1));
    record(1, vtep(3));
    changed(1);
    world.directory.release();
    await turns();
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(3) });
    expect(outcomes()).toEqual(['resolved']);
    expect(world.directory.reads).toHaveLength(2);
  });

  it('does not make an absence remembered that is over', async () => {
    world.directory.hold();
    raise(l3(1));
    record(1);
    changed(1);
    world.directory.release();
    await turns();
    expect(outcomes()).toEqual(['resolved']);
  });
});

describe('a directory that is away', () => {
  /** Virtual seconds pass, in steps of the shortest retry. */
  async function pass(ms: number): Promise<void> {
    for (let at = 0; at < ms; at += 100) {
      world.time += 100;
      await vi.advanceTimersByTimeAsync(100);
    }
  }

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'clearTimeout', 'clearInterval', 'Date'] });
    record(1);
    world.directory.fail('down');
  });

  it('is asked again less and less often, and answers the moment it is back', async () => {
    raise(l3(1));
    await pass(10_000);
    expect(outcomes()).toEqual([]);
    const tries = world.directory.reads.length;
    expect(tries).toBeGreaterThan(5);
    expect(tries).toBeLessThan(12);
    await pass(500);
    world.directory.recover();
    await turns();
    expect(outcomes()).toEqual(['resolved']);
    expect(world.counters.lookupFailures).toBe(tries);
  });

  it('fails a question after a minute, which is then asked anew', async () => {
    raise(l3(1));
    await pass(63_000);
    expect(outcomes()).toEqual(['failed']);
    expect(device.inFlight.size).toBe(0);
    world.directory.recover();
    raise(l3(1));
    await turns();
    expect(outcomes()).toEqual(['failed', 'resolved']);
  });

  it('fails at once what has waited too long behind others', async () => {
    raise(l3(1));
    raise(l3(2));
    raise(l3(3));
    await pass(63_000);
    const reads = world.directory.reads.flat().filter(({ address }) => address === ip(3));
    expect(reads).toEqual([]);
    expect(outcomes()).toEqual(['failed', 'failed', 'failed']);
  });
});

describe('a device that goes away', () => {
  it('takes its questions with it: they failed, once, and nothing is written', async () => {
    record(1);
    world.directory.hold();
    raise(l3(1));
    world.admission.abandon(device);
    expect(world.unaccounted()).toBe(0);
    world.directory.release();
    await turns();
    expect(world.counters.resolutions.l3.failed).toBe(1);
    expect(world.kernel.written).toEqual([]);
  });

  it('does not take those of its successor, which asks for the same', async () => {
    record(1);
    world.directory.hold();
    raise(l3(1));
    world.admission.abandon(device);
    raise(l3(1));
    world.directory.release();
    await turns();
    expect(world.counters.resolutions.l3).toMatchObject({ failed: 1, resolved: 1 });
  });
});

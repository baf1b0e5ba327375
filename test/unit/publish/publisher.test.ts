import type { Subscription } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RecordKey } from '../../../src/directory/directory.ts';
import type { HostLease } from '../../../src/publish/host-lease.ts';
import { Publisher } from '../../../src/publish/publisher.ts';
import { FakeGuests, IP, IP6, MAC, OTHER, VNI, publishDeps } from './publishing.ts';

const SILENCE = 60_000;

let deps: ReturnType<typeof publishDeps>;
let lease: HostLease;
let guests: FakeGuests;
let publisher: Publisher;
let records: Map<string, string>;
const ends: Subscription[] = [];
const fail = (error: unknown): never => {
  throw error;
};
const pass = (milliseconds = 10): Promise<unknown> => vi.advanceTimersByTimeAsync(milliseconds);
/** Calls since the last question. */
function calls(verb = ''): string[] {
  const made = deps.ownership.calls.filter((call) => call.startsWith(verb) && !/^(?:renew|owned)/.test(call));
  deps.ownership.calls.length = 0;
  return made;
}
const key = (kind: 'ip' | 'mac', address: string): RecordKey => ({ vni: VNI, kind, address });
const changed = (...keys: RecordKey[]): void => {
  publisher.onChange({ type: 'records', keys });
};

beforeEach(async () => {
  vi.useFakeTimers();
  deps = publishDeps();
  lease = deps.lease();
  guests = new FakeGuests();
  records = new Map();
  const directory = {
    read: (keys: RecordKey[]) =>
      Promise.resolve(keys.map(({ kind, address }) => records.get(`${kind} ${address}`) ?? null)),
  };
  publisher = new Publisher(lease, guests, { ...deps, directory, silence: SILENCE });
  ends.push(publisher.work$().subscribe({ error: fail }));
  ends.push(lease.work$().subscribe({ error: fail }));
  await pass();
  calls();
});
afterEach(() => {
  for (const end of ends.splice(0)) end.unsubscribe();
  vi.useRealTimers();
  expect(deps.broken).toEqual([]);
});

describe('a guest', () => {
  it('is published with what it has, and withdrawn when it goes', async () => {
    guests.see(MAC, [IP]);
    await pass();
    expect(calls()).toEqual([`publish ${MAC} ${IP}`]);
    guests.see(MAC, [IP6]);
    await pass();
    expect(calls()).toEqual([`publish ${MAC} ${IP},${IP6}`]);
    // Heard again with nothing new.
    guests.see(MAC, [IP]);
    await pass();
    expect(calls()).toEqual([]);
    guests.go(MAC, [IP]);
    await pass();
    // The address that stays is published before the other one goes, so that the MAC always has a record.
    expect(calls()).toEqual([`publish ${MAC} ${IP6}`, `withdraw ${MAC} ${IP}`]);
    guests.go(MAC);
    await pass();
    expect(calls()).toEqual([`withdraw ${MAC} all`]);
    expect(publisher.published.has(MAC)).toBe(false);
    guests.go(MAC);
    await pass();
    expect(calls()).toEqual([]);
  });

  it('waits for the lease', async () => {
    deps.ownership.nextRenewal = 'displaced';
    lease.check();
    await pass();
    calls();
    guests.see(MAC, [IP]);
    await pass(1_000);
    expect(calls()).toEqual([]);
    deps.ownership.nextRenewal = 'gone';
    lease.check();
    await pass();
    expect(calls()).toEqual([`publish ${MAC} ${IP}`]);
  });

  it('is published after the directory answers again, within a second', async () => {
    deps.ownership.down = true;
    guests.see(MAC, [IP]);
    await pass(3_000);
    deps.ownership.down = false;
    expect(calls('publish').length).toBeLessThan(9);
    await pass(500);
    expect(calls()).toEqual([`publish ${MAC} ${IP}`]);
    await pass(3_000);
    expect(calls('publish')).toEqual([]);
  });

  it('is published again by a new incarnation when a script finds no lease', async () => {
    deps.ownership.nextPublished = { outcome: 'lease' };
    deps.ownership.nextRenewal = 'gone';
    guests.see(MAC, [IP]);
    await pass();
    expect(calls()).toEqual([`publish ${MAC} ${IP}`, `publish ${MAC} ${IP}`]);
    expect(deps.counters.notPublished.lease).toBe(1);
  });
});

describe('a MAC that another host has', () => {
  const moved = { outcome: 'moved', host: 'b', epoch: 4 } as const;

  it('moves here at once when its guest is heard here', async () => {
    deps.ownership.nextPublished = moved;
    guests.see(MAC, [IP]);
    await pass();
    expect(calls()).toEqual([`publish ${MAC} ${IP}`, `move ${MAC} 4`]);
    expect(guests.probed).toEqual([]);
    expect(deps.counters.moves).toEqual({ here: 1, away: 0, back: 0 });
  });

  it('is left there when only the bridge knows it and the guest does not answer', async () => {
    guests.answering = false;
    deps.ownership.nextPublished = moved;
    guests.see(MAC, [IP], false);
    await pass();
    expect(calls()).toEqual([`publish ${MAC} ${IP}`, 'owner']);
    expect(guests.probed).toEqual([`${MAC} ${IP}`]);
    expect(guests.get(MAC)).toBeUndefined();
    expect(deps.counters.moves).toEqual({ here: 0, away: 0, back: 0 });
  });

  it('is taken back when the feed tells that it went, and its guest still answers', async () => {
    guests.see(MAC, [IP]);
    await pass();
    calls();
    deps.ownership.nextPublished = moved;
    changed(key('mac', MAC));
    await pass(301);
    expect(calls()).toEqual([`publish ${MAC} ${IP}`, 'owner', `move ${MAC} 4`]);
    expect(deps.counters.moves).toEqual({ here: 0, away: 0, back: 1 });
  });

  it('moves back at once when it is heard again before it was given up', async () => {
    guests.see(MAC, [IP]);
    await pass();
    calls();
    for (const wait of [1, 301]) {
      // It went; first the record is not read yet, then the guest is being asked.
      changed(key('mac', MAC));
      const answers: ((answered: boolean) => void)[] = [];
      guests.probe = () => new Promise((resolve) => answers.push(resolve));
      deps.ownership.nextPublished = moved;
      await pass(wait);
      if (wait > 300) deps.ownership.nextPublished = moved;
      guests.see(MAC, []);
      await pass();
      expect(calls('move')).toEqual([`move ${MAC} 4`]);
      for (const answer of answers) answer(false);
      await pass(400);
      expect(guests.get(MAC)).toBeDefined();
      expect(publisher.published.has(MAC)).toBe(true);
    }
  });

  it('is given up when it went and its guest is silent, asked by the addresses that the other host knows too', async () => {
    guests.see(MAC, [IP]);
    await pass();
    calls();
    guests.answering = false;
    deps.ownership.nextPublished = moved;
    deps.ownership.theirs = {
      ...{ host: 'b', incarnation: 'bb', epoch: 4, vtep: '10.99.0.2', kind: 'learned', moves: 1 },
      ...{ first: 'a', since: 0, frozen: 0, ips: [IP, IP6] },
    };
    changed(key('ip', IP));
    await pass(301);
    expect(guests.probed).toEqual([`${MAC} ${IP}`, `${MAC} ${IP6}`]);
    expect(calls('move')).toEqual([]);
    expect(publisher.published.has(MAC)).toBe(false);
    expect(deps.counters.moves).toEqual({ here: 0, away: 1, back: 0 });
  });

  it('is claimed again when it moved on meanwhile, and later when it moved too often', async () => {
    deps.ownership.nextPublished = moved;
    deps.ownership.nextMoved = { outcome: 'stale', host: 'c', epoch: 5 };
    guests.see(MAC, [IP]);
    await pass();
    expect(calls()).toEqual([`publish ${MAC} ${IP}`, `move ${MAC} 4`, `publish ${MAC} ${IP}`]);
    deps.ownership.nextPublished = { outcome: 'frozen', host: 'b', epoch: 9 };
    guests.see(OTHER, [IP6]);
    await pass();
    expect(calls()).toEqual([`publish ${OTHER} ${IP6}`]);
    expect(deps.counters.notPublished.frozen).toBe(1);
    expect([...publisher.frozen]).toEqual([[OTHER, 'b']]);
    await pass(5_000);
    publisher.tick();
    await pass();
    expect(calls()).toEqual([`publish ${OTHER} ${IP6}`]);
    expect([...publisher.frozen]).toEqual([]);
  });
});

describe('an address that another MAC has', () => {
  const duplicate = { ip: IP, outcome: 'duplicate', mac: OTHER, host: 'b' } as const;
  const claim = { type: 'claim', vni: VNI, from: 'a', mac: MAC, ip: IP, owner: OTHER } as const;
  const answer = { ...claim, from: 'b' };

  beforeEach(async () => {
    deps.ownership.results.set(IP, duplicate);
    guests.see(MAC, [IP]);
    await pass();
    calls();
  });

  it('is claimed from its host, once a second while it is announced', async () => {
    expect(deps.ownership.told).toEqual([{ id: 'b', message: claim }]);
    guests.see(MAC, [IP]);
    await pass(900);
    expect(deps.ownership.told).toHaveLength(1);
    guests.see(MAC, [IP]);
    await pass(100);
    guests.see(MAC, [IP]);
    await pass();
    expect(deps.ownership.told).toHaveLength(2);
    expect(deps.counters.notPublished.duplicate).toBe(1);
  });

  it('is published when it is released', async () => {
    deps.ownership.results.clear();
    publisher.onMessage({ ...answer, type: 'released' });
    await pass();
    expect(calls()).toEqual([`publish ${MAC} ${IP}`]);
    expect([...publisher.claims.open()]).toEqual([]);
    expect(deps.counters.claims).toMatchObject({ sent: 1, released: 1 });
  });

  it('is claimed less often when it was refused, and the log names both', async () => {
    publisher.onMessage({ ...answer, type: 'refused' });
    expect([...publisher.claims.open()]).toMatchObject([{ mac: MAC, ip: IP, host: 'b', refused: true }]);
    expect(deps.lines.join()).toContain(`${IP} of ${MAC} is the address of ${OTHER} on host b`);
    for (let second = 0; second < 9; second++) {
      await pass(1_000);
      publisher.tick();
    }
    expect(deps.ownership.told).toHaveLength(1);
    for (let second = 0; second < 7; second++) {
      await pass(1_000);
      publisher.tick();
    }
    expect(deps.ownership.told).toHaveLength(2);
  });

  it('is not released by a host that was not asked', async () => {
    publisher.onMessage({ ...answer, from: 'c', type: 'released' });
    await pass();
    expect(calls()).toEqual([]);
  });

  it('is tried again when the lease of its host has ended', async () => {
    deps.ownership.results.set(IP, { ...duplicate, outcome: 'ended' });
    await pass(1_000);
    guests.see(MAC, [IP]);
    await pass();
    expect(calls()).toEqual([`publish ${MAC} ${IP}`]);
    deps.ownership.results.clear();
    await pass(5_000);
    publisher.tick();
    await pass();
    expect(calls()).toEqual([`publish ${MAC} ${IP}`]);
  });
});

describe('a claim of another host', () => {
  const claim = { type: 'claim', vni: VNI, from: 'b', mac: OTHER, ip: IP, owner: MAC } as const;

  beforeEach(async () => {
    guests.see(MAC, [IP, IP6]);
    await pass();
    calls();
  });

  it('is refused while the guest answers', async () => {
    publisher.onMessage(claim);
    await pass();
    expect(guests.probed).toEqual([`${MAC} ${IP}`]);
    expect(calls()).toEqual(['tell b']);
    expect(deps.ownership.told[0]?.message).toEqual({ ...claim, type: 'refused', from: 'a' });
  });

  it('that was refused is remembered for 180 s, once, and one that was granted is not', async () => {
    for (let n = 0; n < 2; n++) {
      publisher.onMessage(claim);
      await pass();
    }
    expect(publisher.claims.refused()).toMatchObject([{ ip: IP, owner: MAC, mac: OTHER, host: 'b' }]);
    await pass(181_000);
    expect(publisher.claims.refused()).toEqual([]);
    guests.answering = false;
    publisher.onMessage(claim);
    await pass();
    expect(publisher.claims.refused()).toEqual([]);
  });

  it('is granted when it does not, and the address alone withdrawn', async () => {
    guests.answering = false;
    publisher.onMessage(claim);
    await pass();
    expect(calls()).toEqual([`withdraw ${MAC} ${IP}`, 'tell b']);
    expect(deps.ownership.told[0]?.message).toEqual({ ...claim, type: 'released', from: 'a' });
    expect([...(guests.get(MAC)?.ips.keys() ?? [])]).toEqual([IP6]);
  });

  it('is refused without a question for 180 s after the MAC came from another host, and asked for after that', async () => {
    deps.ownership.nextPublished = { outcome: 'moved', host: 'b', epoch: 4 };
    guests.answering = false;
    guests.see(MAC, ['20.0.0.8']);
    await pass();
    expect(calls('move')).toEqual([`move ${MAC} 4`]);
    publisher.onMessage(claim);
    await pass(179_000);
    expect(deps.ownership.told.map(({ message }) => message.type)).toEqual(['refused']);
    expect(guests.probed).toEqual([]);
    await pass(2_000);
    publisher.onMessage(claim);
    await pass(301);
    expect(deps.ownership.told.map(({ message }) => message.type)).toEqual(['refused', 'released']);
  });

  it('is granted for an address that no guest here has', async () => {
    publisher.onMessage({ ...claim, ip: '20.0.0.77' });
    await pass();
    expect(guests.probed).toEqual([]);
    expect(deps.ownership.told[0]?.message.type).toBe('released');
  });
});

describe('a record that others change', () => {
  beforeEach(async () => {
    guests.see(MAC, [IP]);
    await pass();
    records.set(`ip ${IP}`, `${MAC} 10.99.0.1`).set(`mac ${MAC}`, '10.99.0.1');
    calls();
  });

  it('is read, and nothing is done where it says what this host published', async () => {
    changed(key('ip', IP), key('mac', MAC), key('ip', '20.0.0.99'), { ...key('ip', IP), vni: 7 });
    await pass(1_000);
    expect(calls()).toEqual([]);
  });

  it('is put back within a second when it is gone', async () => {
    records.clear();
    changed({ ...key('ip', IP), vni: 7 });
    await pass(1_000);
    expect(calls()).toEqual([]);
    changed(key('ip', IP));
    await pass(301);
    expect(calls()).toEqual([`publish ${MAC} ${IP}`]);
    expect(deps.counters.publications).toMatchObject({ published: 1, restored: 1 });
  });

  it('is left when it was written by hand, counted once, and put back when that is gone', async () => {
    records.set(`ip ${IP}`, `${OTHER} 10.99.0.9`);
    deps.ownership.results.set(IP, { ip: IP, outcome: 'manual' });
    deps.ownership.changed = false;
    for (let n = 0; n < 2; n++) {
      changed(key('ip', IP));
      await pass(301);
    }
    expect(deps.counters.notPublished.manual).toBe(1);
    expect(publisher.published.count('ok')).toBe(0);
    calls();
    deps.ownership.results.clear();
    records.delete(`ip ${IP}`);
    changed(key('ip', IP));
    await pass(301);
    expect(calls()).toEqual([`publish ${MAC} ${IP}`]);
    expect(publisher.published.count('ok')).toBe(1);
  });

  it.each(['gap', 'flushed'] as const)(
    'is compared after a %s, with all others, within a second',
    async (type) => {
      publisher.onChange({ type });
      await pass(501);
      expect(calls()).toEqual([`publish ${MAC} ${IP}`]);
    },
  );
});

describe('what an earlier process published', () => {
  const owned = { mac: MAC, ips: [IP, IP6], kind: 'learned', epoch: 3 } as const;
  const again = async (): Promise<void> => {
    for (const end of ends.splice(0)) end.unsubscribe();
    publisher = new Publisher(lease, guests, {
      ...{ ...deps, silence: SILENCE },
      directory: { read: (keys) => Promise.resolve(keys.map(() => null)) },
    });
    ends.push(publisher.work$().subscribe({ error: fail }));
    await pass();
  };
  const seconds = async (count: number): Promise<void> => {
    for (let second = 0; second < count; second++) {
      await pass(1_000);
      publisher.tick();
      await pass();
    }
  };

  it('stays while its guest may be there, and goes when that was silent for long', async () => {
    deps.ownership.ownedGuests = [owned];
    await again();
    expect(calls()).toEqual([`publish ${MAC} ${IP},${IP6}`]);
    await seconds(59);
    expect(calls('withdraw')).toEqual([]);
    await seconds(2);
    expect(calls('withdraw')).toEqual([`withdraw ${MAC} all`]);
  });

  it('stays as far as the guest is heard; one that the bridge knows is asked', async () => {
    deps.ownership.ownedGuests = [owned];
    guests.guests.set(MAC, { mac: MAC, ips: new Map() });
    await again();
    await seconds(1);
    expect(guests.probed).toEqual([`${MAC} ${IP}`, `${MAC} ${IP6}`]);
    guests.see(MAC, [IP]);
    await seconds(60);
    expect(calls('withdraw')).toEqual([`withdraw ${MAC} ${IP6}`]);
    expect(publisher.published.has(MAC)).toBe(true);
  });

  it('is read again when the directory did not answer at first', async () => {
    deps.ownership.ownedGuests = [owned];
    deps.ownership.down = true;
    await again();
    await pass(2_000);
    deps.ownership.down = false;
    calls();
    await pass(1_000);
    expect(calls('publish')).toEqual([`publish ${MAC} ${IP},${IP6}`]);
  });
});

it('publishes thousands of guests, some at a time', async () => {
  for (let n = 0; n < 3_000; n++)
    guests.see(
      `02:00:00:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}`,
      [],
    );
  await pass(10);
  expect(calls('publish')).toHaveLength(3_000);
});

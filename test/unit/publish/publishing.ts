/** A directory with ownership as a script of answers, and what a publisher asked of it. */
import { pino } from 'pino';
import { Subject } from 'rxjs';
import { FoldedLog } from '../../../src/base/log.ts';
import { DirectoryError } from '../../../src/directory/directory.ts';
import type {
  AddressResult,
  Guest,
  HostIdentity,
  HostState,
  Moved,
  OwnedGuest,
  Owner,
  OwnerMessage,
  Published,
  Renewal,
} from '../../../src/directory/ownership.ts';
import { HostLease } from '../../../src/publish/host-lease.ts';
import type { GuestNews, Guests } from '../../../src/publish/guests.ts';
import { PublishCounters } from '../../../src/publish/publish-counters.ts';
import { Settled } from '../../../src/publish/settled.ts';

export const VNI = 100;
export const LENGTH = 30_000;
export const MAC = '02:42:14:00:00:02';
export const OTHER = '02:42:14:00:00:03';
export const IP = '20.0.0.2';
export const IP6 = 'fd00::2';

export class FakeOwnership {
  /** Every call: a verb and what it was about. */
  readonly calls: string[] = [];
  readonly renewals: { host: HostIdentity; counter: number; take: boolean; previous: string }[] = [];
  down = false;
  nextRenewal: Renewal['outcome'] | undefined;
  nextPublished: Published | undefined;
  nextMoved: Moved | undefined;
  /** What became of addresses, where it is not `ok`. */
  readonly results = new Map<string, AddressResult>();
  changed = true;
  ownedGuests: OwnedGuest[] = [];
  states: HostState[] = [];
  left = new Map<string, number>();
  theirs: Owner | undefined;
  up: number | undefined = Infinity;
  readonly told: { id: string; message: OwnerMessage }[] = [];
  onReap: () => void = () => undefined;

  #answer<T>(call: string, answer: T): Promise<T> {
    this.calls.push(call);
    return this.down ? Promise.reject(new DirectoryError('no answer')) : Promise.resolve(answer);
  }

  renew(
    ...[, host, counter, , take, previous = '']: [number, HostIdentity, number, number, boolean, string?]
  ): Promise<Renewal> {
    this.renewals.push({ host, counter, take, previous });
    const outcome = this.nextRenewal ?? (take ? 'taken' : 'renewed');
    if (outcome !== 'displaced' && outcome !== 'refused') this.nextRenewal = undefined;
    return this.#answer('renew', outcome === 'refused' ? { outcome, vtep: '10.99.0.9' } : { outcome });
  }

  publish(_vni: number, _host: HostIdentity, { mac, ips }: Guest): Promise<Published> {
    const addresses = ips.map((ip) => this.results.get(ip) ?? { ip, outcome: 'ok' as const });
    const ok: Published = { outcome: 'ok', changed: this.changed, manual: false, epoch: 1, addresses };
    const answer = this.nextPublished ?? ok;
    this.nextPublished = undefined;
    return this.#answer(`publish ${mac} ${ips.join(',')}`, answer);
  }

  move(_vni: number, _host: HostIdentity, { mac, ips }: Guest, epoch: number): Promise<Moved> {
    const addresses = ips.map((ip) => ({ ip, outcome: 'ok' as const }));
    const ok: Moved = { outcome: 'ok', changed: true, manual: false, epoch: epoch + 1, addresses };
    const answer = this.nextMoved ?? ok;
    this.nextMoved = undefined;
    return this.#answer(`move ${mac} ${epoch}`, answer);
  }

  withdraw(_vni: number, _host: HostIdentity, mac: string, ips?: readonly string[]): Promise<number> {
    return this.#answer(`withdraw ${mac} ${ips?.join(',') ?? 'all'}`, ips?.length ?? 2);
  }

  owned(): Promise<OwnedGuest[]> {
    return this.#answer('owned', this.ownedGuests);
  }

  owner(): Promise<Owner | undefined> {
    return this.#answer('owner', this.theirs);
  }

  hosts(): Promise<HostState[]> {
    return this.#answer('hosts', this.states);
  }

  uptime(): Promise<number | undefined> {
    return this.#answer('uptime', this.up);
  }

  reap(
    _vni: number,
    id: string,
    _incarnation: string,
    most: number,
  ): Promise<{ reaped: number; left: number }> {
    const before = this.left.get(id) ?? 0;
    const left = Math.max(0, before - most);
    this.left.set(id, left);
    this.onReap();
    return this.#answer(`reap ${id}`, { reaped: before - left, left });
  }

  tell(id: string, message: OwnerMessage): Promise<void> {
    this.told.push({ id, message });
    return this.#answer(`tell ${id}`, undefined);
  }
}

/** The guests of a host, as a test says. */
export class FakeGuests implements Guests {
  readonly #changes = new Subject<GuestNews>();
  readonly changes$ = this.#changes.asObservable();
  readonly guests = new Map<string, { mac: string; ips: Map<string, number> }>();
  readonly probed: string[] = [];
  answering = true;

  get(mac: string) {
    return this.guests.get(mac);
  }

  known() {
    return this.guests.values();
  }

  probe(mac: string, ip: string): Promise<boolean> {
    this.probed.push(`${mac} ${ip}`);
    return Promise.resolve(this.guests.has(mac) && this.answering);
  }

  forget(mac: string, ips?: readonly string[]): void {
    if (ips === undefined) this.guests.delete(mac);
    else for (const ip of ips) this.guests.get(mac)?.ips.delete(ip);
  }

  /** @param announced whether the guest was heard itself */
  see(mac: string, ips: string[], announced = true): void {
    const guest = this.guests.get(mac) ?? { mac, ips: new Map<string, number>() };
    for (const ip of ips) guest.ips.set(ip, 0);
    this.guests.set(mac, guest);
    this.#changes.next({ type: 'seen', mac, announced });
  }

  go(mac: string, ips?: string[]): void {
    this.forget(mac, ips);
    this.#changes.next({ type: 'gone', mac });
  }
}

/** What all parts of publishing take. */
export function publishDeps() {
  const ownership = new FakeOwnership();
  const lines: string[] = [];
  const broken: unknown[] = [];
  const log = pino({ base: null }, { write: (line: string) => void lines.push(line) });
  const now = (): number => performance.now();
  const counters = new PublishCounters();
  const settled = new Settled(ownership, now);
  const prefixes = {
    withdraw: (_: number, id: string): Promise<number> => {
      ownership.calls.push(`prefix ${id}`);
      return Promise.resolve(1);
    },
  };
  return {
    prefixes,
    ...{ ownership, lines, broken, log, now, counters, settled, random: () => 1 },
    complaints: new FoldedLog(log, now),
    faults: {
      broken: (_: string, error: unknown) => void broken.push(error),
      overflown: (lane: string) => void broken.push(`overflown ${lane}`),
    },
    lease: (deps: Partial<ConstructorParameters<typeof HostLease>[1]> = {}) =>
      new HostLease(
        { vni: VNI, id: 'a', vtep: '10.99.0.1', length: LENGTH },
        { ownership, counters, log, complaints: new FoldedLog(log, now), now, random: () => 1, ...deps },
      ),
  };
}

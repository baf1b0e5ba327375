/**
 * Changed records of addresses that are not held. They are nobody's recheck, and yet concern the guests here:
 *
 *   a guest went from here to another host     the bridge goes on sending its frames to the old port: that row goes
 *   a guest came here                          what the bridge learned of it from the tunnel goes
 *   an address has another MAC                 guests that may know the old one are told, see entries/mac-changes.ts
 *
 * Records of addresses that guests may know are all read; of the others as many as a budget allows.
 */
import type { PipelineDeps } from '../resolver/pipeline.ts';
import { type Observable, Subject, map } from 'rxjs';
import type { DirectoryChange, RecordKey, Values } from '../directory/directory.ts';
import { attemptOn, inLane } from '../base/guarded-lane.ts';
import { type RecordPolicy, answerL3, fromMacRecord } from '../resolver/select-record.ts';
import { CHANGE_TIMEOUT, readUntil } from '../resolver/lookup.ts';
import type { Answer, MissBatch } from '../model/question.ts';
import { type ServedDevice, isHeld } from '../model/device.ts';
import { isDad } from '../entries/announce.ts';
import { forgetBehindTunnel, forgetMovedAway } from '../entries/bridge-rows.ts';
import { KnownMacs } from '../model/known-macs.ts';
import type { Asker, Ip } from '../base/vocabulary.ts';
import { forget } from './changes.ts';

/** Changed records that are read in a second of addresses that no guest here is known to use. */
const MOST_READ = 1_000;
/** Devices that went away whose memory is kept for when they are made again. */
const MOST_KEPT = 256;

/**
 * What may wait: what the budget lets through while a directory does not answer, twice as long as it is waited for, and
 * all that guests may know after a gap.
 */
const READS = { size: 256, underWay: 1, most: 10 * MOST_READ + 200_000 };

interface Changed {
  device: ServedDevice;
  key: RecordKey;
}

interface Reading {
  batch: Changed[];
  values: Values | undefined;
}

export class UnheldChanges {
  readonly #deps: PipelineDeps;
  readonly #changed$ = new Subject<Changed[]>();
  /** What guests knew of devices that are gone, by namespace and VNI, the longest gone first. */
  readonly #kept = new Map<string, KnownMacs>();
  #budget = MOST_READ;
  #budgetSince = 0;

  constructor(deps: PipelineDeps) {
    this.#deps = deps;
  }

  /** Tells nothing. */
  work$(): Observable<unknown> {
    return this.#changed$.pipe(
      inLane(
        'bridge_entries',
        {
          work: (batch) => this.#read(batch),
          conclude: (read) => {
            this.#conclude(read);
            return undefined;
          },
        },
        READS,
        this.#deps.report,
      ),
    );
  }

  /** Guests that ask have the address they ask with. */
  hear({ misses, deviceOf }: MissBatch): void {
    let last: Asker | undefined;
    let place = 0;
    for (const { asker, ifindex } of misses) {
      // One guest asks for many things at once.
      if (asker === undefined || (asker === last && ifindex === place)) continue;
      [last, place] = [asker, ifindex];
      const device = deviceOf(ifindex);
      if (device !== undefined && !isDad(asker)) device.tables.heardAsker(asker);
    }
  }

  look(change: DirectoryChange, devices: readonly ServedDevice[]): void {
    for (const device of devices) {
      if (device.bridge === 0) continue;
      if (change.type === 'records') this.#changed$.next(this.#ofRecords(device, change.keys));
      else if (change.type === 'gap') this.lookAll(device);
      else if (change.type === 'leases' && change.vni === device.vni)
        this.#changed$.next(this.#ofLeases(device));
    }
  }

  /** Changes may have gone unheard. */
  lookAll(device: ServedDevice): void {
    if (device.bridge === 0) return;
    this.#changed$.next([...device.tables.known.all()].map((ip) => changeOf(device, ip)));
  }

  /** An interface of this host had the address, and guests know its MAC: a record may have another by now. */
  lookFor(device: ServedDevice, ip: Ip): void {
    this.#changed$.next([changeOf(device, ip)]);
  }

  /** The device went away: its guests know what they know, and it may be made again. */
  keep(device: ServedDevice): void {
    if (device.bridge === 0) return;
    const { known, neighbours } = device.tables;
    for (const { ip, mac } of neighbours.values()) known.note(ip, mac);
    const name = nameOf(device);
    this.#kept.delete(name);
    if (known.size === 0) return;
    this.#kept.set(name, known);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MOST_KEPT) return;
      this.#kept.delete(oldest);
    }
  }

  /** What its guests knew of its predecessor counts again. */
  restore(device: ServedDevice): void {
    const kept = this.#kept.get(nameOf(device));
    if (kept === undefined) return;
    this.#kept.delete(nameOf(device));
    for (const ip of kept.all()) {
      const mac = kept.of(ip)?.mac;
      if (mac !== undefined) device.tables.known.note(ip, mac);
    }
  }

  /** What guests may know is never left out. */
  #ofRecords(device: ServedDevice, keys: readonly RecordKey[]): Changed[] {
    const now = this.#deps.now();
    if (now - this.#budgetSince > 1_000) {
      this.#budget = MOST_READ;
      this.#budgetSince = now;
    }
    const changed: Changed[] = [];
    let unread = 0;
    for (const key of keys) {
      if (key.vni !== device.vni || isHeld(device, key)) continue;
      const isKnown = key.kind === 'ip' && device.tables.known.of(key.address) !== undefined;
      if (isKnown || --this.#budget >= 0) changed.push({ device, key });
      else unread++;
    }
    if (unread > 0) this.#deps.report.overflown('bridge_entries', unread);
    return changed;
  }

  /** What another lease speaks for now, unless a record does. */
  #ofLeases(device: ServedDevice): Changed[] {
    const policy = this.#quietly();
    const changed: Changed[] = [];
    for (const ip of device.tables.known.all()) {
      const answer = answerL3(policy, device, ip, null);
      if (answer !== undefined && answer.mac !== device.tables.known.of(ip)?.mac)
        changed.push(changeOf(device, ip));
    }
    return changed;
  }

  /** Nobody asked: whoever does will hear that the record is malformed. */
  #quietly(): RecordPolicy {
    return { ...this.#deps.policy, malformed: () => undefined };
  }

  #read(batch: Changed[]): Observable<Reading> {
    const keys = batch.map(({ key }) => key);
    return readUntil(keys, this.#deps.now() + CHANGE_TIMEOUT, this.#deps).pipe(
      map((values) => ({ batch, values })),
    );
  }

  /** What went away while its records were read has no bridge to look into. */
  #conclude({ batch, values }: Reading): void {
    const policy = this.#quietly();
    batch.forEach(({ device, key }, index) => {
      const value = values?.[index];
      if (value === undefined) return;
      const onChange = (): void => {
        const answer =
          key.kind === 'ip'
            ? answerL3(policy, device, key.address, value)
            : fromMacRecord(policy, device, key.address, value);
        if (answer !== undefined) this.#onChange(device, key, answer);
        else if (key.kind === 'ip') this.#deps.macChanges.cancel(device, key.address);
      };
      attemptOn(device, 'bridge_entries', onChange, this.#deps.report);
    });
  }

  #onChange(device: ServedDevice, { kind, address }: RecordKey, answer: Answer): void {
    const { isOwnVtep, report, macChanges } = this.#deps;
    const { tables, namespace } = device;
    // An L2 miss for it was answered by the absence of this very record, or by what it said before.
    forget(device, answer.mac);
    if (isOwnVtep(answer.vtep)) {
      if (kind === 'ip') {
        macChanges.cancel(device, address);
        if (tables.neighbours.has(address)) return;
        tables.known.note(address, answer.mac);
      }
      forgetBehindTunnel(device, [answer.mac], report);
      return;
    }
    const ports = forgetMovedAway(device, [answer.mac], report);
    if (kind === 'mac') return;
    tables.remember(answer.mac, address);
    const known = tables.known.of(address);
    if (known === undefined || tables.neighbours.has(address) || namespace.isAssigned(address)) return;
    if (known.mac === answer.mac) return;
    macChanges.note(device, address, answer, known.mac, ports);
    tables.known.note(address, answer.mac);
  }
}

const changeOf = (device: ServedDevice, address: Ip): Changed => ({
  device,
  key: { vni: device.vni, kind: 'ip', address },
});

const nameOf = ({ namespace, vni }: ServedDevice): string => `${namespace.name} ${vni}`;

/**
 * Changed records of addresses that are not held. They need no recheck, but concern the guests here:
 *
 *   a guest moved from here to another host    the bridge's row for the old port is removed
 *   a guest moved here                         the bridge's row for the tunnel is removed
 *   an address has another MAC                 guests that may know the old one are told, see entries/mac-changes.ts
 *
 * Records of addresses that guests may know are all read, other records within a budget.
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

/** Changed records read per second of addresses that no guest here is known to use. */
const MOST_READ = 1_000;
/** Deleted devices whose known MACs are kept in case the device is created again. */
const MOST_KEPT = 256;

/**
 * Waiting reads: the budget for twice `CHANGE_TIMEOUT` while the directory does not answer, and after a gap all addresses
 * that guests may know.
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
  /** Known MACs of deleted devices by namespace and VNI, the oldest first. */
  readonly #kept = new Map<string, KnownMacs>();
  #budget = MOST_READ;
  #budgetSince = 0;

  constructor(deps: PipelineDeps) {
    this.#deps = deps;
  }

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

  /** Learns the addresses of guests that ask. */
  hear({ misses, deviceOf }: MissBatch): void {
    let last: Asker | undefined;
    let place = 0;
    for (const { asker, ifindex } of misses) {
      // One guest often asks for many addresses in a row.
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

  /** Reads the records of all known addresses, because changes may have gone unreported. */
  lookAll(device: ServedDevice): void {
    if (device.bridge === 0) return;
    this.#changed$.next([...device.tables.known.all()].map((ip) => changeOf(device, ip)));
  }

  /** Reads the record of an address that an interface of this host had: guests may know the interface's MAC. */
  lookFor(device: ServedDevice, ip: Ip): void {
    this.#changed$.next([changeOf(device, ip)]);
  }

  /** The device is gone, but its guests keep their ARP caches, and the device may be created again. */
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

  /** Restores the known MACs of a device that is created again. */
  restore(device: ServedDevice): void {
    const kept = this.#kept.get(nameOf(device));
    if (kept === undefined) return;
    this.#kept.delete(nameOf(device));
    for (const ip of kept.all()) {
      const mac = kept.of(ip)?.mac;
      if (mac !== undefined) device.tables.known.note(ip, mac);
    }
  }

  /** Addresses that guests may know are exempt from the budget. */
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

  /** Known addresses whose MAC is another by the present leases. */
  #ofLeases(device: ServedDevice): Changed[] {
    const policy = this.#silentPolicy();
    const changed: Changed[] = [];
    for (const ip of device.tables.known.all()) {
      const answer = answerL3(policy, device, ip, null);
      if (answer !== undefined && answer.mac !== device.tables.known.of(ip)?.mac)
        changed.push(changeOf(device, ip));
    }
    return changed;
  }

  /** No guest has asked, so malformed records are not reported; the next miss reports them. */
  #silentPolicy(): RecordPolicy {
    return { ...this.#deps.policy, malformed: () => undefined };
  }

  #read(batch: Changed[]): Observable<Reading> {
    const keys = batch.map(({ key }) => key);
    return readUntil(keys, this.#deps.now() + CHANGE_TIMEOUT, this.#deps).pipe(
      map((values) => ({ batch, values })),
    );
  }

  #conclude({ batch, values }: Reading): void {
    const policy = this.#silentPolicy();
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
    // An L2 miss for the MAC may have been answered by the former record, or by its absence.
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

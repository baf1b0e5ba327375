import { type Observable, Subject, map } from 'rxjs';
import type { DirectoryChange, RecordKey, Values } from '../directory/directory.ts';
import { attemptOn, inLane } from '../guard.ts';
import type { PipelineDeps } from '../resolve/deps.ts';
import { answerL3, fromMacRecord } from '../resolve/judge.ts';
import { readPatiently } from '../resolve/lookup.ts';
import type { ServedDevice } from '../served/device.ts';
import { forgetMovedAway } from '../tables/bridge-rows.ts';
import type { Recheck } from './recheck.ts';

/** A new record ends the memory of its absence at once, and one being looked up is looked up again. */
export function forgetAbsence(change: DirectoryChange, devices: readonly ServedDevice[]): void {
  for (const device of devices) {
    if (change.type === 'records') {
      for (const { vni, address } of change.keys) if (vni === device.vni) forget(device, address);
    } else if (change.type !== 'leases' || change.vni === device.vni) forgetAll(device);
  }
}

function forget(device: ServedDevice, address: string): void {
  device.absent.delete(address);
  device.local.delete(address);
  const question = device.inFlight.get(address);
  if (question !== undefined) question.changed = true;
  for (const reader of device.reading.get(address) ?? []) reader.changed = true;
  // An L2 miss may have been answered by the absence of another record: that of an address with the MAC.
  for (const mac of device.absent.size === 0 ? [] : device.tables.macsOf(address)) device.absent.delete(mac);
}

function forgetAll(device: ServedDevice): void {
  device.absent.clear();
  device.local.clear();
  for (const question of device.inFlight.values()) question.changed = true;
}

/** The held entries that a change of records or leases concerns. @param heardAt monotonic ms */
export function rechecksFor(
  change: DirectoryChange,
  devices: readonly ServedDevice[],
  heardAt: number,
): Recheck[] {
  return concerned(change, devices).map((recheck) => ({ ...recheck, heardAt }));
}

function concerned(change: DirectoryChange, devices: readonly ServedDevice[]): Recheck[] {
  if (change.type === 'records')
    return devices.flatMap((device) =>
      change.keys.flatMap((key) => (key.vni === device.vni ? ofRecord(device, key) : [])),
    );
  if (change.type !== 'leases') return [];
  return devices.filter(({ vni }) => vni === change.vni).flatMap((device) => ofLeases(device));
}

function ofRecord(device: ServedDevice, { kind, address }: RecordKey): Recheck[] {
  const { tables } = device;
  if (kind === 'ip') {
    const own = tables.neighbours.has(address) ? [neighbour(device, address)] : [];
    // An FDB entry may follow this record although no neighbour does, or the neighbour has another MAC by now.
    const mac = tables.fdbFrom(address);
    return mac === undefined || tables.neighbours.get(address)?.mac === mac
      ? own
      : [...own, ...ofMac(device, mac)];
  }
  return tables.fdb.has(address) ? ofMac(device, address) : [];
}

/** One user's recheck reads the `mac:` record with it, and the FDB entry is one for all users. */
function ofMac(device: ServedDevice, mac: string): Recheck[] {
  const [user] = device.tables.users(mac);
  return [user === undefined ? { device, table: 'fdb', key: mac, cause: 'change' } : neighbour(device, user)];
}

/** Everything that follows a lease, and what a lease may speak for now that nothing else does. */
function ofLeases(device: ServedDevice): Recheck[] {
  const { neighbours, lone } = device.tables;
  return [
    ...[...neighbours.values()]
      .filter(({ source }) => source.kind === 'lease')
      .map(({ ip }) => neighbour(device, ip)),
    ...[...lone.values()]
      .filter(({ source }) => source.kind === 'lease')
      .map<Recheck>(({ mac }) => ({ device, table: 'fdb', key: mac, cause: 'change' })),
  ];
}

const neighbour = (device: ServedDevice, ip: string): Recheck => ({
  device,
  table: 'neighbour',
  key: ip,
  cause: 'change',
});

/** Changed records of addresses not held that are read at once in a second, for all that happens in a VNI elsewhere. */
const MOST_READ = 1_000;
const PATIENCE = 5_000;
/** What may wait is what the budget lets through while a directory does not answer: twice as long as it is waited for. */
const READS = { size: 256, underWay: 1, most: 10 * MOST_READ };

interface Moved {
  device: ServedDevice;
  key: RecordKey;
}

/**
 * A guest that moves from here to another host was never held here, so its changed record is nobody's recheck. Yet the
 * bridge goes on sending its frames to the old port. So changed records of addresses not held are read, too, as far as
 * a budget goes, and where one names another host the bridge's entry for the MAC goes.
 */
export class MovedAway {
  readonly #deps: PipelineDeps;
  readonly #moved$ = new Subject<Moved[]>();
  #budget = MOST_READ;
  #budgetSince = 0;

  constructor(deps: PipelineDeps) {
    this.#deps = deps;
  }

  look(change: DirectoryChange, devices: readonly ServedDevice[]): void {
    if (change.type !== 'records') return;
    const now = this.#deps.now();
    if (now - this.#budgetSince > 1_000) {
      this.#budget = MOST_READ;
      this.#budgetSince = now;
    }
    for (const device of devices) {
      if (device.bridge === 0) continue;
      const keys = change.keys
        .filter((key) => key.vni === device.vni && !isHeld(device, key))
        .slice(0, this.#budget);
      this.#budget -= keys.length;
      if (keys.length > 0) this.#moved$.next(keys.map((key) => ({ device, key })));
    }
  }

  /** Tells nothing. */
  work$(): Observable<unknown> {
    return this.#moved$.pipe(
      inLane(
        'moved_away',
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

  #read(batch: Moved[]): Observable<{ batch: Moved[]; values: Values | undefined }> {
    const keys = batch.map(({ key }) => key);
    return readPatiently(keys, this.#deps.now() + PATIENCE, this.#deps).pipe(
      map((values) => ({ batch, values })),
    );
  }

  /** What went away while its records were read has no bridge to look into. */
  #conclude({ batch, values }: { batch: Moved[]; values: Values | undefined }): void {
    batch.forEach(({ device, key }, index) => {
      const value = values?.[index] ?? null;
      if (value === null) return;
      const heed = (): void => {
        this.#heed(device, key, value);
      };
      attemptOn(device, 'moved_away', heed, this.#deps.report);
    });
  }

  #heed(device: ServedDevice, { kind, address }: RecordKey, value: string): void {
    const { isOwnVtep, report } = this.#deps;
    // Nobody asked: whoever does will hear that the record is malformed.
    const judge = { ...this.#deps.judge, malformed: () => undefined };
    const answer =
      kind === 'ip' ? answerL3(judge, device, address, value) : fromMacRecord(judge, device, address, value);
    if (answer === undefined || isOwnVtep(answer.vtep)) return;
    if (kind === 'ip') device.tables.remember(answer.mac, address);
    // An L2 miss for it was answered by the absence of this very record, or by what it said before.
    forget(device, answer.mac);
    forgetMovedAway(device, [answer.mac], report);
  }
}

const isHeld = ({ tables }: ServedDevice, { kind, address }: RecordKey): boolean =>
  kind === 'ip' ? tables.neighbours.has(address) : tables.fdb.has(address);

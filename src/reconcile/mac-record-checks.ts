/**
 * Stage 10 of a miss. Takes outcomes; gives verdicts where a `mac:` record names another VTEP than the answer just written.
 * The records are read while no guest waits for an answer, because the check rarely corrects one; in a storm every second.
 */
import type { Settled } from '../model/question.ts';
import { type Observable, Subject, map } from 'rxjs';
import { attempt, inLane } from '../base/guarded-lane.ts';
import type { Values } from '../directory/directory.ts';
import { fromMacRecord } from '../resolver/select-record.ts';
import { DIRECTORY_TIMEOUT, type LookupDeps, readUntil } from '../resolver/lookup.ts';
import type { ServedDevice } from '../model/device.ts';
import type { Ip, Mac } from '../base/vocabulary.ts';
import type { Verdict } from './recheck.ts';

/** A neighbour and the MAC whose record is to be read. */
interface Look {
  device: ServedDevice;
  ip: Ip;
  mac: Mac;
}

/** Every entry may wait once; beyond that the check by lifetime reads the same records. */
const LOOKS = { size: 512, underWay: 1, most: 200_000 };
/**
 * Between two reads while the resolver is idle, ms. A steady stream of misses leaves the resolver idle after every drain;
 * at 25,000 misses a second, reading each time took as many round trips as the answers.
 */
const REST = 20;

export class MacRecordChecks {
  readonly #deps: LookupDeps;
  readonly #due$ = new Subject<Look[]>();
  #waiting: Look[] = [];
  #lookedAt = -Infinity;

  constructor(deps: LookupDeps) {
    this.#deps = deps;
  }

  /**
   * Takes those answers just written whose `mac:` record has not been read: the FDB entry follows the record of the same
   * address. An FDB entry that follows another address was checked before, and the feed reports changes since.
   * @param idle no question is in flight
   */
  after(settled: readonly Settled[], idle: boolean): void {
    for (const { question, outcome, answer } of settled) {
      const { device, layer, address } = question;
      if (outcome !== 'resolved' || layer !== 'l3' || answer?.source.kind !== 'ip') continue;
      const source = device.tables.fdb.get(answer.mac)?.source;
      if (source?.kind === 'mac' || (source?.kind === 'ip' && source.name !== address)) continue;
      this.#waiting.push({ device, ip: address, mac: answer.mac });
    }
    if (idle && this.#deps.now() - this.#lookedAt >= REST) this.look();
  }

  /** Reads all that wait, even while questions are in flight. */
  look(): void {
    if (this.#waiting.length === 0) return;
    this.#lookedAt = this.#deps.now();
    const due = this.#waiting;
    this.#waiting = [];
    this.#due$.next(due);
  }

  /** Verdicts where a `mac:` record exists. */
  verdicts$(): Observable<Verdict[]> {
    return this.#due$.pipe(
      inLane(
        'mac_records',
        { work: (batch) => this.#read(batch), conclude: (read) => this.#verdicts(read) },
        LOOKS,
        this.#deps.report,
      ),
    );
  }

  #read(batch: Look[]): Observable<{ batch: Look[]; values: Values | undefined }> {
    const keys = batch.map(({ device, mac }) => ({ vni: device.vni, kind: 'mac' as const, address: mac }));
    return readUntil(keys, this.#deps.now() + DIRECTORY_TIMEOUT, this.#deps).pipe(
      map((values) => ({ batch, values })),
    );
  }

  #verdicts({ batch, values }: { batch: Look[]; values: Values | undefined }): Verdict[] | undefined {
    // The directory did not answer in time: read again, behind later checks.
    if (values === undefined) this.#due$.next(batch);
    const verdicts: Verdict[] = [];
    values?.forEach((value, index) => {
      const look = batch[index];
      if (value === null || look === undefined) return;
      const verdict = attempt('mac_records', () => this.#judged(look, value), this.#deps.report);
      if (verdict !== undefined) verdicts.push(verdict);
    });
    return verdicts.length > 0 ? verdicts : undefined;
  }

  /** The `ip:` record was read a moment ago; the `mac:` record names the VTEP. */
  #judged({ device, ip, mac }: Look, value: string): Verdict | undefined {
    const held = device.tables.neighbours.get(ip);
    const named = fromMacRecord(this.#deps.policy, device, mac, value);
    if (named === undefined || held?.mac !== mac) return undefined;
    const router = device.tables.fdb.get(mac)?.router ?? false;
    const { vtep, source: vtepSource } = named;
    return {
      recheck: { device, table: 'neighbour', key: ip, cause: 'change' },
      answer: { mac, vtep, router, source: held.source, vtepSource },
    };
  }
}

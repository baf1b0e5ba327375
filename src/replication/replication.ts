/**
 * Broadcast without multicast in the underlay: for a VNI of `--broadcast` every daemon registers its host in the directory,
 * and copies of each broadcast go to all registered hosts. Membership is renewed and read in rounds, because the feed would
 * send every renewal of every host to every other.
 */
import type { PipelineDeps } from '../resolver/pipeline.ts';
import { type Observable, defer, from, repeat, timer } from 'rxjs';
import { DirectoryError } from '../directory/directory.ts';
import { reasonOf } from '../base/errors.ts';
import { attemptLater, attemptOn } from '../base/guarded-lane.ts';
import type { Logger } from '../base/log.ts';
import { isMalformed, parseMacRecord } from '../directory/record.ts';
import { context } from '../resolver/select-record.ts';
import type { Replicas, ServedDevice } from '../model/device.ts';
import { writeReplicas } from '../entries/replicas.ts';
import type { Ip, Vni } from '../base/vocabulary.ts';
import { GROUPS } from '../model/replicated-groups.ts';
import type { BroadcastLimits } from '../nft/broadcast-limits.ts';

/** Between rounds, ms, a fifth more or less, so that the hosts of a fabric do not come in step. */
const ROUND = 5_000;
/** The same for a host that has found no other, ms: it has just begun, or is the first. */
const SHORT_ROUND = 500;
/** How long a host takes part without renewing it, ms: three rounds may be lost. */
export const MEMBERSHIP = 20_000;
/** After unanswered rounds members are only added for this long, ms, because no host could renew its membership. */
const SETTLING = 10_000;
/** Copies of a broadcast: the host sends each of them. */
export const MOST_REPLICAS = 128;

export class Replication {
  readonly #vnis: ReadonlySet<Vni>;
  readonly #deps: PipelineDeps;
  readonly #devices: () => ServedDevice[];
  readonly #log: Logger;
  /** Since when every round was answered, by VNI; monotonic ms. */
  readonly #steadySince = new Map<Vni, number>();
  /** Own VTEPs that are registered and have to be removed at the end. */
  readonly #takingPart = new Map<Vni, Set<Ip>>();
  /** Members beyond the limit, by VNI. */
  readonly #leftOut = new Map<Vni, number>();
  readonly #said = new Set<string>();
  readonly limits: BroadcastLimits;

  constructor(
    vnis: readonly Vni[],
    deps: PipelineDeps,
    devices: () => ServedDevice[],
    log: Logger,
    limits: BroadcastLimits,
  ) {
    this.limits = limits;
    this.#vnis = new Set(vnis);
    this.#deps = deps;
    this.#devices = devices;
    this.#log = log;
  }

  /** Rounds, without end. */
  work$(): Observable<unknown> {
    return defer(() => from(attemptLater('replication', () => this.round(), this.#deps.report))).pipe(
      repeat({
        delay: () => {
          const wait = this.#isAlone() ? SHORT_ROUND : ROUND;
          return timer(wait * (0.8 + 0.4 * Math.random()));
        },
      }),
    );
  }

  /** Members that get no copies. */
  get leftOut(): number {
    return [...this.#leftOut.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Ends this host's membership; a registration that cannot be removed expires. */
  async leave(): Promise<void> {
    await this.limits.stop();
    await Promise.all([...this.#takingPart].map(([vni, vteps]) => this.#leave(vni, [...vteps])));
  }

  /** Never rejects. */
  async #leave(vni: Vni, vteps: readonly Ip[]): Promise<void> {
    try {
      await this.#deps.directory.leave(vni, vteps);
    } catch (error) {
      if (!(error instanceof DirectoryError)) this.#deps.report.broken('stop', error);
    }
  }

  #isAlone(): boolean {
    if (this.#vnis.size === 0) return false;
    const devices = this.#devices().filter(({ vni }) => this.#vnis.has(vni));
    return devices.length === 0 || devices.some(({ replicas }) => replicas.size === 0);
  }

  /** Never rejects. */
  async round(): Promise<void> {
    const all = this.#devices();
    const replicating = all.filter(({ vni }) => this.#vnis.has(vni));
    await attemptLater('replication', () => this.limits.keep(replicating, all), this.#deps.report);
    const devices = all.filter(({ adopted, link }) => adopted && link.up);
    for (const vni of this.#vnis) {
      const together = devices.filter((device) => device.vni === vni);
      if (together.length > 0) await this.#renew(vni, together);
    }
    // Replication entries of a predecessor.
    for (const device of devices)
      if (!this.#vnis.has(device.vni) && device.replicas.size > 0) this.#replicate(device, []);
  }

  /** Never rejects: without the directory replication stays as it is. */
  async #renew(vni: Vni, devices: readonly ServedDevice[]): Promise<void> {
    const { directory, now } = this.#deps;
    const own = new Set(devices.flatMap((device) => this.#own(device)));
    this.#takingPart.set(vni, own);
    let members: Ip[];
    try {
      members = await directory.takePart(vni, [...own], MEMBERSHIP);
    } catch (error) {
      this.#steadySince.delete(vni);
      if (!(error instanceof DirectoryError)) this.#deps.report.broken('replication', error);
      this.#once(`VNI ${vni}: who takes part in broadcast cannot be read: ${reasonOf(error)}`);
      return;
    }
    const since = this.#steadySince.get(vni) ?? now();
    this.#steadySince.set(vni, since);
    for (const device of devices) {
      const stay =
        now() - since < SETTLING ? [...device.replicas.values()].flatMap((vteps) => [...vteps]) : [];
      this.#replicate(device, [...stay, ...members]);
    }
  }

  #replicate(device: ServedDevice, members: readonly Ip[]): void {
    const { report, isOwnVtep } = this.#deps;
    const vteps = [...new Set(members)]
      .filter((vtep) => this.#isUsable(device, vtep) && !isOwnVtep(vtep))
      .sort();
    const excess = Math.max(0, vteps.length - MOST_REPLICAS);
    this.#leftOut.set(device.vni, excess);
    if (excess > 0)
      this.#once(`VNI ${device.vni}: ${vteps.length} hosts take part, a broadcast goes to ${MOST_REPLICAS}`);
    const groups = this.#vnis.has(device.vni) ? GROUPS : [];
    const wanted = new Set(vteps.slice(0, MOST_REPLICAS));
    const write = (): Replicas => writeReplicas(device, groups, wanted, report);
    device.replicas = attemptOn(device, 'replication', write, report) ?? device.replicas;
  }

  #isUsable(device: ServedDevice, vtep: Ip): boolean {
    const { policy } = this.#deps;
    const record = parseMacRecord(vtep, context(policy, device));
    if (!isMalformed(record)) return true;
    policy.malformed(device, record.malformed, `vteps: ${vtep}`);
    return false;
  }

  /** The VTEP address at which other hosts reach this device. */
  #own({ link, name }: ServedDevice): Ip[] {
    const { local } = link.vxlan;
    if (local !== undefined) return [local];
    this.#once(`${name} has no local address: it gets no broadcasts of other hosts, though they get its own`);
    return [];
  }

  #once(words: string): void {
    if (this.#said.has(words) || this.#said.size > 1_000) return;
    this.#said.add(words);
    this.#log.warn(words);
  }
}

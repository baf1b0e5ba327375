/**
 * The networks that this host has joined (`--join`). Each is looked at when the kernel reports a change of its
 * interfaces or of the underlay's, when its record changes, and every few seconds besides; what is missing or wrong is
 * put right. What cannot be done is counted, logged, and tried again.
 */
import {
  BehaviorSubject,
  NEVER,
  type Observable,
  Subject,
  filter,
  from,
  ignoreElements,
  map,
  merge,
  startWith,
  switchMap,
  tap,
  timer,
} from 'rxjs';
import { reasonOf } from '../base/errors.ts';
import { attempt, inLane } from '../base/guarded-lane.ts';
import type { Ip, Vni } from '../base/vocabulary.ts';
import { DirectoryError } from '../directory/directory.ts';
import { type Network, bridgeName, deviceName } from '../directory/network.ts';
import type { LinkEvent } from '../links/namespace-event.ts';
import type { Site } from './establish.ts';
import type { JoinState, JoinedNetwork } from './joined.ts';
import { type JoinDeps, type Joining, UNSEEN, newJoining } from './joining.ts';
import type { Left } from './leave.ts';
import { readRecord } from './network-record.ts';

/** Between two looks when nothing is reported, ms. */
const LOOK = 10_000;
/** Events come in bursts, and a burst is one look, ms. */
const BURST = 100;
/** Between two looks that repaired something: another program may undo each repair at once, ms. */
const REPAIRS = 1_000;
/** Until the directory is asked again, ms. A name without a record costs a scan. */
const WAIT = 5_000;
/** After a failure, ms; doubled with each further one. */
const RETRY = [1_000, 30_000] as const;

export class Joins {
  readonly #joinings = new Map<string, Joining>();
  readonly #joined$ = new BehaviorSubject<readonly JoinedNetwork[]>([]);
  /** Replays the networks that stand, then emits them whenever one of them changes. */
  readonly joined$ = this.#joined$.asObservable();
  readonly #wake$ = new Subject<void>();
  readonly #site: Site;
  readonly #namespace: string;
  readonly #deps: JoinDeps;
  /** Looks that failed, and things put right. */
  failures = 0;
  repairs = 0;

  /** @param namespace the key by which the host knows the namespace of the networks */
  constructor(names: readonly string[], site: Site, namespace: string, deps: JoinDeps) {
    this.#site = site;
    this.#namespace = namespace;
    this.#deps = deps;
    for (const name of new Set(names)) this.#joinings.set(name, newJoining(name, deps.now));
  }

  /** The networks that stand. */
  get joined(): readonly JoinedNetwork[] {
    return this.#joined$.value;
  }

  states(): JoinState[] {
    return [...this.#joinings.values()].map(({ name, joined, trouble }) => {
      if (trouble !== undefined || joined === undefined)
        return { network: name, ...(trouble ?? { state: 'waiting', reason: UNSEEN }) };
      const { network, ...rest } = joined;
      return { ...rest, network: name, state: 'joined', vni: network.vni, mode: network.mode };
    });
  }

  /** What `/readyz` waits for: networks that did not stand since the start. */
  missing(): string[] {
    return [...this.#joinings.values()].flatMap(({ name, joined, trouble }) => {
      if (joined === undefined) return [`network ${name}: ${trouble?.reason ?? UNSEEN}`];
      const { namespace, device } = joined;
      return this.#deps.host.isServed(namespace, device)
        ? []
        : [`network ${name}: ${device} is not served yet`];
    });
  }

  /** All work; never ends with an error. */
  work$(): Observable<unknown> {
    if (this.#joinings.size === 0) return NEVER;
    const { faults, host } = this.#deps;
    const looks$ = this.#wake$.pipe(
      startWith(undefined),
      switchMap(() => timer(this.#delay())),
      map(() => this.#takeDue()),
      filter((due) => due.length > 0),
      inLane(
        'join',
        { work: (due) => from(this.#lookAt(due)), conclude: () => this.#wake$.next() },
        { size: 64, underWay: 1, most: 64, dropped: (joining) => (joining.due = this.#deps.now() + BURST) },
        faults,
      ),
    );
    const heard$ = host.links$.pipe(tap((event) => attempt('join', () => this.#heard(event), faults)));
    return merge(looks$, heard$.pipe(ignoreElements()));
  }

  /** A VNI's network record changed; undefined where any may have. */
  recordChanged(vni?: Vni): void {
    for (const joining of this.#joinings.values()) {
      if (vni !== undefined && joining.network?.vni !== vni) continue;
      joining.recordDue = true;
      this.#schedule(joining, BURST);
    }
  }

  /** The prefix of a network is another host's now: another one is acquired. */
  prefixLost(name: string): void {
    const joining = this.#joinings.get(name);
    if (joining?.joined === undefined) return;
    delete joining.joined.prefix;
    this.#schedule(joining, 0);
  }

  /**
   * Leaves a network: nothing of it is repaired any more, and what missd made is taken away.
   * @returns undefined where the network is none of `--join`
   * @throws Error where the kernel refuses
   */
  async leave(name: string): Promise<(Left & { notReleased?: string }) | undefined> {
    const joining = this.#joinings.get(name);
    if (joining === undefined) return undefined;
    this.#joinings.delete(name);
    await joining.looking;
    let notReleased: string | undefined;
    if (joining.joined !== undefined) {
      try {
        await this.#deps.release(joining.joined);
      } catch (error) {
        notReleased = reasonOf(error);
      }
      this.#publish();
    }
    const { underlay, networks } = this.#site;
    const { leave } = await import('./leave.ts');
    const left = await leave(name, new Set([networks, underlay]), networks !== underlay ? networks : null);
    this.#deps.log.info(`network ${name}: left; removed ${left.removed.join(', ') || 'nothing'}`);
    return { ...left, ...(notReleased === undefined ? {} : { notReleased }) };
  }

  #delay(): number {
    const next = Math.min(...[...this.#joinings.values()].map(({ due }) => due));
    // A timer of Node takes 24.8 days at most.
    return Math.min(Math.max(0, next - this.#deps.now()), LOOK);
  }

  #takeDue(): Joining[] {
    const now = this.#deps.now();
    const due = [...this.#joinings.values()].filter((joining) => joining.due <= now);
    for (const joining of due) joining.due = Infinity;
    if (due.length === 0) this.#wake$.next();
    return due;
  }

  #schedule(joining: Joining, delay: number): void {
    const now = this.#deps.now();
    const due = Math.max(now + delay, joining.repairedAt + REPAIRS);
    if (due >= joining.due) return;
    joining.due = due;
    this.#wake$.next();
  }

  #heard(event: LinkEvent): void {
    for (const joining of this.#joinings.values()) {
      const { name, ports, standing } = joining;
      const own = [deviceName({ name }), bridgeName({ name })];
      if (event.namespace === this.#namespace && event.link !== undefined)
        ports.heard(event.link, event.removed);
      // Without an underlay address any new address may be it.
      const underlay = standing.underlay?.device;
      const mayBe = underlay === undefined ? event.link === undefined : event.name === underlay;
      if (mayBe || own.includes(event.name)) this.#schedule(joining, BURST);
    }
  }

  async #lookAt(due: readonly Joining[]): Promise<void> {
    for (const joining of due) {
      if (this.#joinings.get(joining.name) !== joining) continue;
      joining.looking = this.#look(joining);
      await joining.looking;
      joining.looking = undefined;
    }
  }

  /** Never rejects. */
  async #look(joining: Joining): Promise<void> {
    try {
      await this.#readRecord(joining);
      const { network, standing: before, ports } = joining;
      if (network === undefined) return;
      ports.learn(this.#deps.host.linksOf(this.#namespace));
      const prefixOf = (vtep: Ip): Promise<string> => this.#prefixOf(joining, network, vtep);
      // Loaded on demand: what reads iproute2 takes memory, which a daemon without networks does not need.
      const { establish } = await import('./establish.ts');
      const { joined, repairs, standing } = await establish(
        network,
        this.#site,
        before,
        ports.lost,
        prefixOf,
      );
      joining.ports.lost.clear();
      joining.standing = standing;
      joining.failures = 0;
      const stands = { ...joined, namespace: this.#namespace };
      this.#tell(joining, stands, repairs);
      this.#deps.stands(stands);
      this.#schedule(joining, LOOK);
    } catch (error) {
      if (error instanceof DirectoryError)
        this.#wait(joining, `the directory does not answer: ${reasonOf(error)}`);
      else this.#fail(joining, error);
    } finally {
      // Also where it was left alone, such as a name without a record.
      if (joining.due === Infinity) joining.due = this.#deps.now() + WAIT;
    }
  }

  /** One that was acquired stays, also while the directory is down. */
  async #prefixOf({ joined }: Joining, network: Network, vtep: Ip): Promise<string> {
    if (joined?.prefix !== undefined && joined.vtep === vtep) return joined.prefix;
    return this.#deps.prefixOf(network, vtep);
  }

  /** Now and then, and where it may have changed. @throws DirectoryError where it was never read */
  async #readRecord(joining: Joining): Promise<void> {
    const { name, network: before } = joining;
    const now = this.#deps.now();
    if (before !== undefined && !joining.recordDue && now - joining.readAt < LOOK) return;
    // Also where the directory does not answer: repairs do not wait for it, and its return is reported as a gap.
    joining.recordDue = false;
    joining.readAt = now;
    joining.network = await readRecord(name, before, this.#deps);
    if (joining.network === undefined)
      this.#wait(joining, 'there is no such network in the directory (missd network create)');
  }

  #wait(joining: Joining, reason: string): void {
    if (joining.joined !== undefined) return;
    if (joining.trouble?.reason !== reason)
      this.#deps.log.warn(`network ${joining.name}: ${reason}; waiting`);
    joining.trouble = { state: 'waiting', reason };
    joining.due = this.#deps.now() + WAIT;
  }

  #fail(joining: Joining, error: unknown): void {
    const { name } = joining;
    const reason = reasonOf(error);
    this.failures++;
    this.#deps.complaints.warn(`network ${name} is not right; trying again`, reason, { apart: reason });
    joining.trouble = { state: 'failed', reason };
    // What was done of it raises events, too.
    joining.repairedAt = this.#deps.now();
    const [first, last] = RETRY;
    joining.due = this.#deps.now() + Math.min(last, first * 2 ** joining.failures);
    joining.failures++;
  }

  #tell(joining: Joining, joined: JoinedNetwork, repairs: readonly string[]): void {
    const { log, complaints, now } = this.#deps;
    const { name, trouble, joined: before } = joining;
    joining.joined = joined;
    joining.trouble = undefined;
    if (repairs.length > 0) joining.repairedAt = now();
    if (before === undefined) {
      const { device, bridge, vtep, mtu, prefix } = joined;
      const has = repairs.length === 0 ? 'stands as it should' : `made: ${repairs.join('; ')}`;
      log.info(
        `joined network ${name}: ${device}, ${bridge}, VTEP ${vtep}, MTU ${mtu}${prefix === undefined ? '' : `, prefix ${prefix}`} (${has})`,
      );
    } else {
      this.repairs += repairs.length;
      for (const one of repairs) complaints.warn(`network ${name}: repaired`, one, { apart: one });
      if (trouble !== undefined) log.info(`network ${name} is right again`);
    }
    if (JSON.stringify(before) !== JSON.stringify(joined)) this.#publish();
  }

  #publish(): void {
    this.#joined$.next([...this.#joinings.values()].flatMap(({ joined }) => joined ?? []));
  }
}

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
import type { Clock } from '../base/clock.ts';
import { reasonOf } from '../base/errors.ts';
import { type Faults, attempt, inLane } from '../base/guarded-lane.ts';
import type { FoldedLog, Logger } from '../base/log.ts';
import type { Ip, Link, Vni } from '../base/vocabulary.ts';
import { type Directory, DirectoryError } from '../directory/directory.ts';
import { type Network, bridgeName, deviceName } from '../directory/network.ts';
import type { LinkEvent } from '../links/namespace-event.ts';
import type { Site, Standing } from './establish.ts';
import type { JoinState, JoinedNetwork } from './joined.ts';
import type { Left } from './leave.ts';
import { BridgePorts } from './ports.ts';
import { changeOf } from './record-change.ts';

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

/** Where the links of the host are known. */
export interface JoinHost {
  /** Changes of links and addresses in the served namespaces. */
  readonly links$: Observable<LinkEvent>;
  /** Links of a served namespace, by its path. */
  linksOf(namespace: string): Iterable<Link>;
  /** Whether the device is served. */
  isServed(namespace: string, device: string): boolean;
}

export interface JoinDeps {
  directory: Pick<Directory, 'network'>;
  host: JoinHost;
  log: Logger;
  complaints: FoldedLog;
  faults: Faults;
  now: Clock;
  /** Acquires this host's prefix of a routed network. */
  prefixOf: (network: Network, vtep: Ip) => Promise<string>;
  /** Gives back what the directory has of this host in a network that it leaves. */
  release: (joined: JoinedNetwork) => Promise<void>;
  /** Called after each look that found, or made, everything right: settings that the kernel reports no change of are looked at. */
  stands: (joined: JoinedNetwork) => void;
}

interface Joining {
  readonly name: string;
  readonly ports: BridgePorts;
  network: Network | undefined;
  /** Whether the record is to be read again. */
  recordDue: boolean;
  /** Monotonic ms. */
  readAt: number;
  standing: Standing;
  joined: JoinedNetwork | undefined;
  /** Why it is not right now; absent when it is. */
  trouble: { state: 'waiting' | 'failed'; reason: string } | undefined;
  /** When it is looked at next, monotonic ms. */
  due: number;
  repairedAt: number;
  failures: number;
  /** The look under way. */
  looking: Promise<void> | undefined;
}

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
    for (const name of new Set(names))
      this.#joinings.set(name, {
        ...{ name, ports: new BridgePorts(bridgeName({ name }), deps.now), network: undefined },
        ...{ recordDue: true, readAt: -Infinity, standing: {}, joined: undefined, looking: undefined },
        ...{ due: deps.now(), repairedAt: -Infinity, failures: 0 },
        trouble: { state: 'waiting', reason: 'not looked at yet' },
      });
  }

  /** The networks that stand. */
  get joined(): readonly JoinedNetwork[] {
    return this.#joined$.value;
  }

  states(): JoinState[] {
    return [...this.#joinings.values()].map(({ name, joined, trouble }) => {
      if (trouble !== undefined || joined === undefined)
        return { network: name, ...(trouble ?? { state: 'waiting', reason: 'not looked at yet' }) };
      const { network, ...rest } = joined;
      return { ...rest, network: name, state: 'joined', vni: network.vni, mode: network.mode };
    });
  }

  /** What `/readyz` waits for: networks that did not stand since the start. */
  missing(): string[] {
    return [...this.#joinings.values()].flatMap(({ name, joined, trouble }) => {
      if (joined === undefined) return [`network ${name}: ${trouble?.reason ?? 'not looked at yet'}`];
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

  async #readRecord(joining: Joining): Promise<void> {
    const { name, network: before } = joining;
    const now = this.#deps.now();
    if (before !== undefined && !joining.recordDue && now - joining.readAt < LOOK) return;
    const { directory, log, complaints } = this.#deps;
    let found: Network | undefined;
    try {
      found = await directory.network(name);
    } catch (error) {
      // What is known goes on to be repaired.
      if (before === undefined) throw error;
      if (!(error instanceof DirectoryError))
        complaints.warn(`network ${name}: its record is not used`, reasonOf(error));
      return;
    }
    joining.recordDue = false;
    joining.readAt = now;
    if (found === undefined) {
      if (before === undefined)
        this.#wait(joining, 'there is no such network in the directory (missd network create)');
      else complaints.warn(`network ${name}`, 'its record is gone; what stands is kept');
      return;
    }
    if (before === undefined) {
      joining.network = found;
      return;
    }
    const { network, ignored } = changeOf(before, found);
    if (ignored.length > 0)
      complaints.warn(`network ${name}: another ${ignored.join(', ')}`, 'needs missd leave and a restart');
    joining.network = network;
    if (network !== before) log.info(`network ${name}: its record has changed`);
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

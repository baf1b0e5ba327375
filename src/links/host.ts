/** This host: the namespaces that missd serves, as they come and go, and the host's own addresses. */
import type { MissBatch } from '../model/question.ts';
import {
  EMPTY,
  type Observable,
  Subject,
  catchError,
  concat,
  defer,
  filter,
  from,
  merge,
  switchMap,
  timer,
} from 'rxjs';
import { monotonic } from '../base/clock.ts';
import { reasonOf } from '../base/errors.ts';
import { deviceName } from '../directory/network.ts';
import { type Strategy, type VniStrategy, strategyOf } from '../model/strategy.ts';
import { type Faults, attempt, revived } from '../base/guarded-lane.ts';
import type { Kernel, Namespace } from '../kernel/kernel.ts';
import type { Logger } from '../base/log.ts';
import type { Link } from '../base/vocabulary.ts';
import type { ServedDevice } from '../model/device.ts';
import { ServedNamespace } from './namespace.ts';
import type { LinkEvent, NamespaceEvent } from './namespace-event.ts';
import { OwnVteps } from './own-vteps.ts';
import { presence$ } from './netns-watch.ts';
import { isWanted } from './servable.ts';

/** Delay before a namespace that could not be opened is tried again, ms. */
const REOPEN_DELAY = 5_000;

/** Path of the daemon's own namespace. */
export const OWN = '/proc/self/ns/net';

export interface HostOptions {
  /** Paths; empty for the daemon's own namespace. */
  netns: readonly string[];
  /** Names; empty for every VXLAN device that raises misses. */
  device: readonly string[];
  /** Networks whose devices are served whatever `device` says. */
  join?: readonly string[];
  /** Path of the namespace of those networks, which is served beside `netns`; absent for that of `netns`. */
  overlayNetns?: string;
  /** Addresses that are this host's although no interface has them. */
  local: readonly string[];
  /** Bytes. */
  receiveBuffer: number;
  /** Seconds. */
  negativeLifetime: number;
  /** Strategies of VNIs that are not served on demand alone. */
  strategy: readonly VniStrategy[];
  /** Waits for devices that another missd serves. */
  wait?: boolean;
}

export class Host {
  readonly namespaces = new Map<string, ServedNamespace>();
  /** Any namespace, for questions that all of them answer alike. */
  readonly anyKernel = (): Namespace | undefined => this.namespaces.values().next().value?.kernel;
  readonly #misses$ = new Subject<MissBatch>();
  /** Misses of all namespaces. */
  readonly misses$ = this.#misses$.asObservable();
  readonly #links$ = new Subject<LinkEvent>();
  /** Changes of links and addresses in all namespaces. */
  readonly links$ = this.#links$.asObservable();
  /** Why namespaces could not be opened at start, a line each. */
  readonly troubles: string[] = [];
  #started = false;
  /** The last complaint by path, so that a repeated one is logged once. */
  readonly #complaints = new Map<string, string>();
  readonly #options: HostOptions;
  readonly #kernel: Kernel;
  readonly #log: Logger;
  readonly #faults: Faults;
  readonly #own = new OwnVteps();

  constructor(options: HostOptions, kernel: Kernel, log: Logger, faults: Faults) {
    this.#options = options;
    this.#kernel = kernel;
    this.#log = log;
    this.#faults = faults;
    this.#own.set('--local', options.local);
  }

  readonly isOwnVtep = (vtep: string): boolean => this.#own.has(vtep);

  devices(): ServedDevice[] {
    return [...this.namespaces.values()].flatMap((namespace) => [...namespace.devices.values()]);
  }

  /** Names of the namespaces that should be served and are not yet. That of joined networks comes and goes with them. */
  missing(): string[] {
    return this.#paths()
      .filter((path) => path !== this.#options.overlayNetns && this.namespaces.get(path)?.loaded !== true)
      .map(nameOf);
  }

  events$(): Observable<NamespaceEvent> {
    return merge(...this.#paths().map((path) => this.#serve(path)), this.#followOwnAddresses());
  }

  /** Checks every link again after `--device` changed. */
  review(): NamespaceEvent[] {
    return [...this.namespaces.values()].flatMap((namespace) => namespace.review());
  }

  refresh(): void {
    for (const namespace of this.namespaces.values())
      attempt('links', () => namespace.refresh(), this.#faults);
  }

  /** Names of the devices that missd waits for because another missd serves them (`--wait`). */
  awaited(): string[] {
    if (this.#options.wait !== true) return [];
    return [...this.namespaces.values()].flatMap((namespace) => namespace.taken);
  }

  /** Names of the devices that another missd serves, where this missd needs them to be ready. */
  lacking(): string[] {
    const taken = [...this.namespaces.values()].flatMap((namespace) => namespace.taken);
    return this.#options.wait === true || this.devices().length === 0 ? taken : [];
  }

  /** Tries again to lock the devices that another missd serves. */
  claim(): NamespaceEvent[] {
    return [...this.namespaces.values()].flatMap(
      (namespace) => attempt('devices', () => namespace.claim(), this.#faults) ?? [],
    );
  }

  #paths(): readonly string[] {
    const { netns, overlayNetns } = this.#options;
    const paths = netns.length === 0 ? [OWN] : netns;
    return overlayNetns === undefined || paths.includes(overlayNetns) ? paths : [...paths, overlayNetns];
  }

  /** Names of the devices to serve; empty for every one that raises misses. */
  #names(): readonly string[] {
    const { device, join = [] } = this.#options;
    return device.length === 0 ? [] : [...device, ...join.map((name) => deviceName({ name }))];
  }

  /** @param path of the namespace */
  linksOf(path: string): Iterable<Link> {
    return this.namespaces.get(path)?.links.values() ?? [];
  }

  /** Whether a device of this name is served. @param path of its namespace */
  isServed(path: string, name: string): boolean {
    const devices = this.namespaces.get(path)?.devices.values() ?? [];
    return [...devices].some(({ link }) => link.name === name);
  }

  /** Serves one namespace while it exists, and again when it comes back. */
  #serve(path: string): Observable<NamespaceEvent> {
    return presence$(path).pipe(
      switchMap(({ identity, reason }) => {
        const gone = this.#leave(path, 'is no longer there');
        if (identity === undefined) {
          this.#complain(path, `namespace ${nameOf(path)} ${reason}`, 'waiting for it');
          return from(gone);
        }
        const served$ = defer(() => this.#open(path)).pipe(
          catchError((error: unknown, again) => {
            this.#complain(
              path,
              `namespace ${nameOf(path)} cannot be served: ${reasonOf(error)}`,
              'trying again',
            );
            const left = this.#leave(path, 'is opened again');
            return concat(left, timer(REOPEN_DELAY).pipe(switchMap(() => again)));
          }),
        );
        return concat(gone, served$);
      }),
      revived('links', this.#faults),
    );
  }

  /** At start the daemon decides whether complaints mean waiting or ending; later ones are logged at once. */
  #complain(path: string, what: string, then: string): void {
    if (this.#complaints.get(path) === what) return;
    this.#complaints.set(path, what);
    if (this.#started) this.#log.warn(`${what}; ${then}`);
    else this.troubles.push(what);
  }

  /** Called once after the first look at all namespaces: logs the missing ones. */
  started(): void {
    this.#started = true;
    for (const trouble of this.troubles) this.#log.warn(`${trouble}; waiting for it`);
  }

  /** Called after the sockets of a namespace were closed: its devices are gone. */
  #leave(path: string, why: string): NamespaceEvent[] {
    const namespace = this.namespaces.get(path);
    if (namespace === undefined) return [];
    this.namespaces.delete(path);
    this.#log.info(`namespace ${namespace.name} ${why}`);
    return namespace.close();
  }

  #open(path: string): Observable<NamespaceEvent> {
    const options = this.#options;
    const { receiveBuffer, strategy } = options;
    const chosen = (vni: number): Strategy => strategyOf(strategy, vni);
    // The daemon's own namespace is not entered, because that would need CAP_SYS_ADMIN.
    const kernel = this.#kernel.open(path === OWN ? null : path, { receiveBuffer });
    const namespace = new ServedNamespace(nameOf(path), kernel, this.#own, {
      isWanted: (link) => isWanted(link, this.#names(), chosen),
      strategyOf: chosen,
      misses: (batch) => {
        this.#misses$.next(batch);
      },
      changed: (change) => {
        this.#links$.next({ ...change, namespace: path });
      },
      get negativeLifetime() {
        return options.negativeLifetime * 1000;
      },
      now: monotonic,
      faults: this.#faults,
    });
    this.namespaces.set(path, namespace);
    this.#complaints.delete(path);
    const { bytes, forced } = kernel.receiveBuffer;
    this.#log.info(`serving namespace ${namespace.name}, receive buffer ${bytes} bytes`);
    if (!forced && bytes < receiveBuffer)
      this.#log.warn(
        `receive buffer is ${bytes} bytes, not ${receiveBuffer}: raise net.core.rmem_max or give CAP_NET_ADMIN`,
      );
    if (!kernel.canAnnounce)
      this.#log.warn(
        'no packet socket (CAP_NET_RAW): missd cannot announce answers, so guests wait for their own retry',
      );
    return namespace.events$();
  }

  /** Adds the addresses of the daemon's own namespace to the host's addresses. */
  #followOwnAddresses(): Observable<NamespaceEvent> {
    if (this.#options.netns.length === 0) return EMPTY;
    return defer(() => {
      const kernel = this.#kernel.open(null, { receiveBuffer: 0 });
      const own = new ServedNamespace('own', kernel, this.#own, {
        isWanted: () => false,
        strategyOf: () => 'miss',
        misses: () => undefined,
        negativeLifetime: 0,
        now: monotonic,
        faults: this.#faults,
      });
      return own.events$().pipe(filter((event) => event.type === 'addresses'));
    }).pipe(
      catchError((error: unknown, again) => {
        const what = "the daemon's own addresses cannot be followed";
        if (this.#complaints.get('') !== what) this.#log.warn(`${what}: ${reasonOf(error)}; trying again`);
        this.#complaints.set('', what);
        return timer(REOPEN_DELAY).pipe(switchMap(() => again));
      }),
    );
  }
}

const nameOf = (path: string): string => (path === OWN ? 'own' : path.replace(/^\/(var\/)?run\/netns\//, ''));

/**
 * An address has another MAC now, and guests of the bridge may know the old one: they would go on sending to it for 19 to
 * 46 seconds. On one Ethernet the new guest's own gratuitous ARP tells them; the VXLAN device swallows that, so the change
 * of the record is the only word there is, and one announcement to each port passes it on.
 *
 * Announced addresses are few and each is a broadcast, so they are held to a rate; what waits is told as it is by then.
 */
import {
  type Observable,
  Subject,
  asapScheduler,
  concat,
  exhaustMap,
  interval,
  map,
  of,
  observeOn,
  takeWhile,
} from 'rxjs';
import type { Clock } from '../base/clock.ts';
import { type Faults, attemptOn } from '../base/guarded-lane.ts';
import type { ServedDevice } from '../model/device.ts';
import type { Ip, Mac } from '../base/vocabulary.ts';
import type { Announcer } from './announce.ts';

/** Addresses announced on a device in any second. */
const RATE = 100;
const SECOND = 1_000;
/** Between looks at what waits, ms. */
const PACE = 50;
/** By then guests have found out by themselves, ms; and so many may be announced in that time. */
const TOO_LATE = 60_000;
const MOST_WAITING = (RATE * TOO_LATE) / SECOND;

/** What is to be told of an address. */
interface Waiting {
  mac: Mac;
  router: boolean;
  /** MACs that guests may know; a port with one of them has the address itself. */
  before: Set<Mac>;
  /** Ports that had the address or one of these MACs when the change was heard of. */
  except: Set<number>;
  since: number;
}

interface Queue {
  waiting: Map<Ip, Waiting>;
  /** When the last ones were announced, the oldest first; at most `RATE`. */
  announced: number[];
}

export class MacChanges {
  readonly #announcer: Announcer;
  readonly #report: Faults;
  readonly #now: Clock;
  readonly #queues = new Map<ServedDevice, Queue>();
  readonly #wake$ = new Subject<void>();

  constructor(announcer: Announcer, report: Faults, now: Clock) {
    this.#announcer = announcer;
    this.#report = report;
    this.#now = now;
  }

  /** Sends what waits, and goes on while something does. */
  work$(): Observable<unknown> {
    return this.#wake$.pipe(
      exhaustMap(() =>
        concat(of(0).pipe(observeOn(asapScheduler)), interval(PACE)).pipe(
          map(() => this.#send()),
          takeWhile((more) => more),
        ),
      ),
    );
  }

  /**
   * Guests may know `before`, and the address has another MAC on another host.
   * @param except ports that have the address or the MAC themselves
   */
  note(
    device: ServedDevice,
    ip: Ip,
    { mac, router }: { mac: Mac; router: boolean },
    before: Mac,
    except: Iterable<number> = [],
  ): void {
    if (device.bridge === 0 || !device.link.vxlan.proxy) return;
    let queue = this.#queues.get(device);
    if (queue === undefined) this.#queues.set(device, (queue = { waiting: new Map(), announced: [] }));
    const { waiting } = queue;
    const known = waiting.get(ip);
    if (known === undefined) {
      waiting.set(ip, {
        mac,
        router,
        before: new Set([before]),
        except: new Set(except),
        since: this.#now(),
      });
      for (const oldest of waiting.keys()) {
        if (waiting.size <= MOST_WAITING) break;
        this.#drop(waiting, oldest);
      }
    } else {
      known.before.add(known.mac).add(before).delete(mac);
      known.mac = mac;
      known.router = router;
      for (const port of except) known.except.add(port);
    }
    this.#wake$.next();
  }

  /** The address is on this host by now, or nobody's. */
  cancel(device: ServedDevice, ip: Ip): void {
    this.#queues.get(device)?.waiting.delete(ip);
  }

  forget(device: ServedDevice): void {
    this.#queues.delete(device);
  }

  #waits(): boolean {
    for (const { waiting } of this.#queues.values()) if (waiting.size > 0) return true;
    return false;
  }

  /** @returns whether more waits */
  #send(): boolean {
    for (const [device, queue] of this.#queues)
      attemptOn(device, 'announcements', () => this.#sendSome(device, queue), this.#report);
    return this.#waits();
  }

  #sendSome(device: ServedDevice, { waiting, announced }: Queue): void {
    const now = this.#now();
    while (announced[0] !== undefined && announced[0] <= now - SECOND) announced.shift();
    for (const [ip, one] of waiting) {
      if (now - one.since > TOO_LATE) {
        this.#drop(waiting, ip);
        continue;
      }
      if (announced.length >= RATE) return;
      // First of all: where it cannot be sent it is not tried for ever.
      waiting.delete(ip);
      if (device.namespace.isAssigned(ip)) continue;
      announced.push(now);
      this.#announcer.tellAll(device, ip, one, this.#having(device, ip, one));
    }
  }

  /** Ports that have the address or its MAC themselves: a guest would take the announcement for a duplicate of its own. */
  #having(device: ServedDevice, ip: Ip, { mac, before, except }: Waiting): ReadonlySet<number> {
    const { kernel } = device.namespace;
    const having = new Set(except);
    for (const row of kernel.getBridgeFdb(device.bridge, [mac, ...before]))
      if (row !== undefined) having.add(row.ifindex);
    const port = device.tables.known.of(ip)?.port;
    if (port !== undefined) having.add(port);
    return having;
  }

  #drop(waiting: Map<Ip, Waiting>, ip: Ip): void {
    waiting.delete(ip);
    this.#announcer.dropped();
  }
}

/**
 * An address has a new MAC, and guests of the bridge may have the old one in their neighbour tables: they would send to
 * the old one for 19 to 46 seconds more. On one Ethernet the new guest's gratuitous ARP reaches them. The VXLAN device
 * drops that ARP, so missd announces the new MAC on each port when the record changes.
 *
 * Each announcement is a broadcast, so a rate limits them. A waiting address is announced with its latest MAC.
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
import { NUD_PERMANENT } from '../kernel/netlink.ts';
import type { ServedDevice } from '../model/device.ts';
import type { Ip, Mac } from '../base/vocabulary.ts';
import type { Announcer } from './announce.ts';

/** Most addresses announced on a device in any second. */
const RATE = 100;
const SECOND = 1_000;
/** Interval between rounds while addresses wait, ms. */
const PACE = 50;
/** After this time guests have probed the MAC themselves, ms. No more may wait than the rate allows in that time. */
const TOO_LATE = 60_000;
const MOST_WAITING = (RATE * TOO_LATE) / SECOND;

/** An address to be announced. */
interface Waiting {
  mac: Mac;
  router: boolean;
  /** MACs that guests may have for the address; a port with one of them has the address itself. */
  before: Set<Mac>;
  /** ifindexes of the ports that had the address or one of these MACs when the record changed. */
  except: Set<number>;
  since: number;
}

interface Queue {
  waiting: Map<Ip, Waiting>;
  /** Times of the last announcements, the oldest first; at most `RATE`. */
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

  /** Sends waiting announcements until none is left. */
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
   * Queues an announcement: guests may have `before`, and the address now has another MAC on another host.
   * @param except ifindexes of the ports that have the address or the MAC themselves
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

  /** Drops the announcement of an address that is local now, or has no record. */
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

  /** @returns whether announcements still wait */
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
      // Deleted first, so that a failing send is not tried for ever.
      waiting.delete(ip);
      if (device.namespace.isAssigned(ip)) continue;
      announced.push(now);
      this.#announcer.tellAll(device, ip, one, this.#having(device, ip, one));
    }
  }

  /** Ports that have the address or its MAC: their guest would see a duplicate address in the announcement. */
  #having(device: ServedDevice, ip: Ip, { mac, before, except }: Waiting): ReadonlySet<number> {
    const { kernel } = device.namespace;
    const having = new Set(except);
    for (const row of kernel.getBridgeFdb(device.bridge, [mac, ...before]))
      // A permanent row is the port's or the bridge's own MAC (net/bridge/br_fdb.c, `br_fdb_add_local`), not a guest's.
      if (row !== undefined && (row.state & NUD_PERMANENT) === 0) having.add(row.ifindex);
    const port = device.tables.known.of(ip)?.port;
    if (port !== undefined) having.add(port);
    return having;
  }

  #drop(waiting: Map<Ip, Waiting>, ip: Ip): void {
    waiting.delete(ip);
    this.#announcer.dropped();
  }
}

/**
 * The guests of this host on a device of a network: which MAC is behind which bridge port, with which addresses.
 *
 *  1 start       MACs from the bridge's FDB, addresses from the bridge's neighbour table
 *  2 onRows      MACs that the bridge learns, and that move from port to port
 *  3 onSenders   addresses, from what guests send; answers to probes
 *  4 onPort      a port that goes or loses its carrier takes its guests with it
 *  5 tick        guests that have been silent are probed, and go if they do not answer
 *
 * A port with a single MAC is a guest's own: it keeps its addresses as long as it has a carrier.
 */
import { type Observable, Subject } from 'rxjs';
import type { Clock } from '../base/clock.ts';
import { type Faults, attempt, attemptLater } from '../base/guarded-lane.ts';
import type { FoldedLog } from '../base/log.ts';
import type { FdbEntry, Ip, Mac, Neighbour, Sender } from '../base/vocabulary.ts';
import type { Network } from '../directory/network.ts';
import { bridgeRows } from '../entries/bridge-rows.ts';
import { isPermanent } from '../entries/ownership.ts';
import type { RowChange, Senders } from '../kernel/kernel.ts';
import type { PortState } from '../links/namespace-event.ts';
import { isUsable } from '../links/port-states.ts';
import { isGuestPort } from '../links/ports.ts';
import type { ServedDevice } from '../model/device.ts';
import { Discovery } from './discovery.ts';
import { GuestProbes } from './guest-probes.ts';
import { REFUSED, type Refused, isGuestMac, refuseIp } from './guest-rules.ts';
import { GuestTable, type LearnedFrom, type LocalGuest } from './guest-table.ts';

export type GuestChange =
  /** `ips`: addresses that are new, or were heard again. `announced`: by the guest or its hypervisor, not by the bridge alone. */
  | { type: 'seen'; mac: Mac; port: number; ips: readonly Ip[]; announced: boolean }
  /** Without `ips` the whole MAC. */
  | { type: 'gone'; mac: Mac; ips?: readonly Ip[]; why: 'port' | 'silent' | 'limit' };

export interface LocalGuestsDeps {
  now: Clock;
  log: FoldedLog;
  faults: Faults;
  /** How long a guest of a port with several MACs may be silent before it is probed, ms. */
  silence?: number;
}

const SILENCE = 60_000;
/** Reads of the bridge's FDB after an overrun, at most one in so many ms: a guest causes overruns at will. */
const REREAD = 10_000;

export class LocalGuests {
  readonly changes$: Observable<GuestChange>;
  /** Addresses that were refused, by reason. */
  readonly refused: Record<Refused, number> = Object.fromEntries(
    REFUSED.map((reason) => [reason, 0]),
  ) as Record<Refused, number>;
  readonly #device: ServedDevice;
  readonly #network: Network;
  readonly #deps: LocalGuestsDeps;
  readonly #silence: number;
  readonly #changes$ = new Subject<GuestChange>();
  readonly #table: GuestTable;
  readonly #probes: GuestProbes;
  readonly #discovery: Discovery;
  #readAt = -Infinity;
  #readDue = false;

  constructor(device: ServedDevice, network: Network, deps: LocalGuestsDeps) {
    this.changes$ = this.#changes$.asObservable();
    this.#device = device;
    this.#network = network;
    this.#deps = deps;
    this.#silence = deps.silence ?? SILENCE;
    this.#table = new GuestTable(network.portsLimit);
    this.#probes = new GuestProbes(device, deps.faults);
    const portOf = (mac: Mac): number | undefined => this.#table.get(mac)?.port;
    this.#discovery = new Discovery(network.subnet, this.#probes, portOf, deps.faults);
  }

  /** Listens, and reads what the bridge knows already. Never rejects. */
  async start(): Promise<void> {
    this.#device.namespace.learn(this.#device, true);
    await this.#read();
  }

  stop(): void {
    if (!this.#device.gone)
      attempt('guests', () => this.#device.namespace.learn(this.#device, false), this.#deps.faults);
    this.#probes.stop();
    this.#discovery.stop();
    this.#changes$.complete();
  }

  known(): Iterable<LocalGuest> {
    return this.#table.all();
  }

  get(mac: Mac): LocalGuest | undefined {
    return this.#table.get(mac);
  }

  /** Whether the guest answers for the address at its port: after 300 ms at most, at once where the port is down. */
  probe(mac: Mac, ip: Ip): Promise<boolean> {
    const guest = this.#table.get(mac);
    return guest === undefined ? Promise.resolve(false) : this.#probes.ask(guest.port, mac, ip);
  }

  /** Forgets a MAC, or some of its addresses, that has another owner now. The next frame of the guest is news again. */
  forget(mac: Mac, ips?: readonly Ip[]): void {
    if (ips === undefined) this.#table.forget(mac);
    else for (const ip of ips) this.#table.forget(mac, ip);
  }

  onRows(changes: readonly RowChange[]): void {
    for (const { removed, row } of changes)
      if (!removed && 'master' in row && row.master === this.#device.bridge) this.#onRow(row);
  }

  onSenders({ senders, passedOver, lost }: Senders): void {
    const seen = new Map<Mac, { port: number; ips: Ip[] }>();
    for (const sender of senders) {
      if (!this.#isGuestPort(sender.port)) continue;
      this.#probes.heard(sender);
      const ip = this.#addressOf(sender);
      if (ip === null || !this.#see(sender.mac, sender.port, ip, FROM[sender.kind])) continue;
      const all = seen.get(sender.mac);
      if (all?.port !== sender.port)
        seen.set(sender.mac, { port: sender.port, ips: ip === undefined ? [] : [ip] });
      else if (ip !== undefined) all.ips.push(ip);
    }
    for (const [mac, { port, ips }] of seen) this.#tell({ type: 'seen', mac, port, ips, announced: true });
    for (const { port, mac, count } of passedOver)
      if (this.#isGuestPort(port)) this.#refuse('excess', port, mac, `${count} frames`, count);
    this.refused.excess += lost;
  }

  onPort(port: number, state: PortState): void {
    if (state === 'up') return;
    this.#probes.stop(port);
    this.#discovery.stop(port);
    for (const { mac } of this.#table.behind(port)) this.#leave(mac, 'port');
  }

  /** The bridge learned more than was told. */
  missRows(): void {
    this.#readDue = true;
  }

  /** The device has another bridge. Never rejects. */
  async onBridged(): Promise<void> {
    await this.#read();
  }

  /** Called every second. */
  tick(): void {
    const now = this.#deps.now();
    if (this.#readDue && now - this.#readAt >= REREAD) void this.#read();
    for (const port of this.#table.ports()) {
      const guests = this.#table.behind(port);
      if (guests.length < 2) continue;
      for (const guest of guests) this.#checkSilence(guest, now);
    }
  }

  async #read(): Promise<void> {
    this.#readAt = this.#deps.now();
    this.#readDue = false;
    const { bridge, namespace } = this.#device;
    if (bridge === 0) return;
    await attemptLater(
      'guests',
      async () => {
        for (const guest of [...this.#table.all()])
          if (namespace.link(guest.port)?.master !== bridge) this.#leave(guest.mac, 'port');
        const rows = await namespace.kernel.bridgeFdb(bridge, this.#isWanted());
        for (const row of rows) this.#onRow(row);
        for (const row of await namespace.kernel.neighbours(bridge)) this.#onNeighbour(row);
      },
      this.#deps.faults,
    );
  }

  /** A filter of the bridge's rows that are not known yet. One guest may have put a hundred thousand there. */
  #isWanted(): (row: FdbEntry) => boolean {
    const kept = new Map<number, number>();
    return (row) => {
      const count = kept.get(row.ifindex) ?? 0;
      if (isPermanent(row) || this.#table.get(row.lladdr)?.port === row.ifindex) return false;
      kept.set(row.ifindex, count + 1);
      return count <= this.#network.portsLimit;
    };
  }

  #onRow({ ifindex: port, lladdr: mac, state }: FdbEntry): void {
    if (isPermanent({ state }) || !this.#isGuestPort(port)) return;
    const before = this.#table.get(mac)?.port;
    if (before === port || !this.#see(mac, port, undefined, 'FDB')) return;
    const ips = [...(this.#table.get(mac)?.ips.keys() ?? [])];
    this.#tell({ type: 'seen', mac, port, ips, announced: false });
  }

  /** A neighbour of the bridge itself, which the host has talked to. */
  #onNeighbour({ ip, lladdr: mac }: Neighbour): void {
    const guest = mac === undefined ? undefined : this.#table.get(mac);
    if (guest === undefined || guest.ips.has(ip) || refuseIp(this.#device, this.#network, ip) !== undefined)
      return;
    if (!this.#see(guest.mac, guest.port, ip, 'neighbour table')) return;
    this.#tell({ type: 'seen', mac: guest.mac, port: guest.port, ips: [ip], announced: false });
  }

  /** @returns undefined for the MAC alone, null for nothing: the address is refused */
  #addressOf(sender: Sender): Ip | undefined | null {
    const { port, mac, ip, kind } = sender;
    if (ip === undefined) return undefined;
    const reason = refuseIp(this.#device, this.#network, ip);
    if (kind === 'dad') {
      if (reason === undefined) this.#discovery.tentative(sender);
      return undefined;
    }
    if (reason === undefined) return ip;
    this.#refuse(reason, port, mac, ip);
    // Its MAC is a guest's all the same; the bridge tells of it.
    return null;
  }

  /** @returns whether the guest has a place */
  #see(mac: Mac, port: number, ip: Ip | undefined, learnedFrom: LearnedFrom): boolean {
    const before = this.#table.get(mac);
    if (before === undefined && !isGuestMac(this.#device, mac)) return false;
    const seen = this.#table.see(mac, port, ip, this.#deps.now(), learnedFrom);
    if (seen.outcome === 'full') {
      this.#refuse('limit', port, mac, ip ?? 'no address');
      return false;
    }
    if (seen.evicted !== undefined) {
      const { mac: old, ip: left } = seen.evicted;
      this.#refuse('limit', port, mac, ip ?? 'no address');
      this.#tell({ type: 'gone', mac: old, ...(left === undefined ? {} : { ips: [left] }), why: 'limit' });
    }
    if (ip !== undefined) this.#discovery.found(mac, ip);
    else if (before === undefined) this.#discovery.begin(port, mac);
    return true;
  }

  #checkSilence({ mac, port, ips, seenAt }: LocalGuest, now: number): void {
    for (const [ip, at] of ips) {
      if (now - at < this.#silence || !this.#probes.hasRoom) continue;
      void this.#probes.ask(port, mac, ip).then((answered) => {
        if (!answered) attempt('guests', () => this.#silent(mac, port, ip), this.#deps.faults);
      });
    }
    if (ips.size > 0 || now - seenAt < this.#silence) return;
    const [row] = bridgeRows(this.#device, [mac]);
    if (row?.ifindex === port && row.updatedAgo < this.#silence) this.#table.see(mac, port, undefined, now);
    else this.#leave(mac, 'silent');
  }

  /** It may have been heard elsewhere, or be alone on its port, by now. */
  #silent(mac: Mac, port: number, ip: Ip): void {
    const guest = this.#table.get(mac);
    const at = guest?.ips.get(ip);
    if (guest?.port !== port || at === undefined || this.#deps.now() - at < this.#silence) return;
    if (guest.ips.size === 1) {
      this.#leave(mac, 'silent');
      return;
    }
    this.#table.forget(mac, ip);
    this.#tell({ type: 'gone', mac, ips: [ip], why: 'silent' });
  }

  #leave(mac: Mac, why: 'port' | 'silent'): void {
    this.#table.forget(mac);
    this.#tell({ type: 'gone', mac, why });
  }

  #isGuestPort(port: number): boolean {
    const { namespace, bridge } = this.#device;
    const link = namespace.link(port);
    return link?.master === bridge && isGuestPort(link) && isUsable(link);
  }

  #refuse(reason: Refused, port: number, mac: Mac, what: string, count = 1): void {
    this.refused[reason] += count;
    // A guest with addresses of other networks is no fault.
    if (reason === 'outside') return;
    const { namespace, name } = this.#device;
    const where = `port ${namespace.portName(port)}`;
    this.#deps.log.warn(`${name}: ${where} ${COMPLAINTS[reason]}`, `MAC ${mac}, ${what}`);
  }

  #tell(change: GuestChange): void {
    this.#changes$.next(change);
  }
}

const FROM: Record<Sender['kind'], LearnedFrom> = { arp: 'ARP', nd: 'ND', dad: 'ND', rarp: 'RARP' };

const COMPLAINTS: Record<Exclude<Refused, 'outside'>, string> = {
  gateway: 'claims the gateway',
  anycast: 'claims an anycast address',
  host: 'claims an address of this host',
  limit: 'has more addresses than ports-limit',
  excess: 'says more in a second than is read',
};

/**
 * Finds addresses that guests do not tell by themselves. A Linux guest says nothing when it gets an IPv4 address, so a MAC
 * without one is asked for every address of a small subnet. An IPv6 address is told only by duplicate address detection,
 * which asks for it before the guest has it, so the guest is asked a moment later.
 */
import { type Subscription, concatMap, from, interval, map, take, timer } from 'rxjs';
import { parseIp4, formatIp4 } from '../base/address.ts';
import { parseCidr, addressOf } from '../base/prefix.ts';
import type { Faults } from '../base/guarded-lane.ts';
import type { Ip, Mac, Sender } from '../base/vocabulary.ts';
import type { GuestProbes } from './guest-probes.ts';

/** When a MAC without an IPv4 address is asked, ms after it was first seen: its port comes up before its address. */
const ROUNDS = [50, 1_000, 3_000, 10_000, 30_000];
/** After duplicate address detection, ms: RFC 4862 waits for 1 s, and up to 1 s before that. */
const TENTATIVE = [1_500, 3_000, 6_000];
/** Addresses of the largest subnet that is asked through: 30 ms of frames to one guest. */
const MOST_ADDRESSES = 1_024;
const PER_SEND = 128;
/** Between sends, ms. */
const PACE = 4;
/** Guests that are waited for at once, and of one port. */
const MOST = 1_024;
const MOST_OF_PORT = 16;

export class Discovery {
  readonly #probes: GuestProbes;
  readonly #portOf: (mac: Mac) => number | undefined;
  readonly #addresses: readonly Ip[];
  readonly #broken: (error: unknown) => void;
  readonly #waiting = new Map<string, { port: number; rounds: Subscription }>();

  /** @param portOf a guest now; undefined for one that has gone */
  constructor(subnet: string, probes: GuestProbes, portOf: (mac: Mac) => number | undefined, faults: Faults) {
    this.#broken = (error) => {
      faults.broken('guests', error);
    };
    this.#probes = probes;
    this.#portOf = portOf;
    this.#addresses = addressesOf(subnet);
  }

  /** A MAC that was seen without an IPv4 address. */
  begin(port: number, mac: Mac): void {
    if (this.#addresses.length === 0) return;
    this.#wait(mac, port, ROUNDS, () => {
      const now = this.#portOf(mac);
      if (now === undefined) this.#end(mac);
      else this.#askAll(now, mac);
    });
  }

  /** An IPv6 address that a guest wants. IPv4 guests that detect duplicates announce the address themselves (RFC 5227). */
  tentative({ port, mac, ip }: Sender): void {
    if (ip?.includes(':') !== true) return;
    this.#wait(`${mac} ${ip}`, port, TENTATIVE, () => {
      this.#probes.send([{ port, mac, ip }]);
    });
  }

  /** The address has been heard. */
  found(mac: Mac, ip: Ip): void {
    this.#end(ip.includes(':') ? `${mac} ${ip}` : mac);
  }

  stop(port?: number): void {
    for (const [key, waiting] of [...this.#waiting])
      if (port === undefined || waiting.port === port) this.#end(key);
  }

  #askAll(port: number, mac: Mac): void {
    const key = `${mac} all`;
    this.#end(key);
    const sending = interval(PACE)
      .pipe(take(Math.ceil(this.#addresses.length / PER_SEND)))
      .subscribe({
        next: (at) => {
          const some = this.#addresses.slice(at * PER_SEND, (at + 1) * PER_SEND);
          this.#probes.send(some.map((ip) => ({ port, mac, ip })));
        },
        error: this.#broken,
        complete: () => this.#waiting.delete(key),
      });
    this.#waiting.set(key, { port, rounds: sending });
  }

  #wait(key: string, port: number, delays: readonly number[], round: () => void): void {
    if (this.#waiting.has(key) || this.#waiting.size >= MOST) return;
    if ([...this.#waiting.values()].filter((one) => one.port === port).length >= MOST_OF_PORT) return;
    const rounds = from(delays)
      .pipe(concatMap((at, index) => timer(at - (delays[index - 1] ?? 0)).pipe(map(() => index))))
      .subscribe({ next: round, error: this.#broken, complete: () => this.#waiting.delete(key) });
    this.#waiting.set(key, { port, rounds });
  }

  #end(key: string): void {
    this.#waiting.get(key)?.rounds.unsubscribe();
    this.#waiting.delete(key);
  }
}

/** Every address that a guest of a small IPv4 subnet can have. */
function addressesOf(subnet: string): Ip[] {
  const prefix = parseCidr(subnet);
  if (prefix?.family !== 4) return [];
  const count = 2 ** (32 - prefix.length);
  if (count > MOST_ADDRESSES) return [];
  const first = parseIp4(addressOf(prefix));
  return Array.from({ length: count - 2 }, (_, at) => formatIp4(first + at + 1));
}

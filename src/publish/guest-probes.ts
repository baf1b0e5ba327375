/** Asks guests whether they still have an address: up to three times, 100 ms apart, at the port of each alone. */
import { Subscription, interval } from 'rxjs';
import { type Faults, attemptOn } from '../base/guarded-lane.ts';
import type { Ip, Mac, Sender } from '../base/vocabulary.ts';
import { isUsable } from '../links/port-states.ts';
import type { ServedDevice } from '../model/device.ts';

const TIMES = 3;
/** Between questions, ms; a guest answers within one on an idle host. */
const PATIENCE = 100;
/** Guests asked at once: the silent ones of a port with many MACs. */
const MOST = 256;

interface Asked {
  port: number;
  answer: Promise<boolean>;
  end: (answered: boolean) => void;
}

const keyOf = (port: number, mac: Mac, ip: Ip): string => `${port} ${mac} ${ip}`;

export class GuestProbes {
  readonly #device: ServedDevice;
  readonly #faults: Faults;
  readonly #asked = new Map<string, Asked>();

  constructor(device: ServedDevice, faults: Faults) {
    this.#device = device;
    this.#faults = faults;
  }

  get hasRoom(): boolean {
    return this.#asked.size < MOST;
  }

  /** Resolves with false at once where the port has no carrier, or too many are asked already. Never rejects. */
  ask(port: number, mac: Mac, ip: Ip): Promise<boolean> {
    const key = keyOf(port, mac, ip);
    const before = this.#asked.get(key);
    if (before !== undefined) return before.answer;
    const link = this.#device.namespace.link(port);
    if (!this.hasRoom || link === undefined || !isUsable(link)) return Promise.resolve(false);
    const asking = new Subscription();
    let end: Asked['end'] = () => undefined;
    const answer = new Promise<boolean>((resolve) => {
      end = (answered) => {
        asking.unsubscribe();
        this.#asked.delete(key);
        resolve(answered);
      };
    });
    this.#asked.set(key, { port, answer, end });
    this.send([{ port, mac, ip }]);
    const rounds = interval(PATIENCE).subscribe({
      next: (round) => {
        if (round + 1 === TIMES) end(false);
        else this.send([{ port, mac, ip }]);
      },
      error: (error: unknown) => {
        this.#faults.broken('guests', error);
        end(false);
      },
    });
    asking.add(rounds);
    return answer;
  }

  /** Asks once, for addresses of which an answer is heard like any other sender. Never throws. */
  send(questions: readonly { port: number; mac: Mac; ip: Ip }[]): void {
    const { namespace, bridge } = this.#device;
    const ask = (): void => {
      const from = namespace.link(bridge)?.lladdr;
      if (from === undefined) return;
      namespace.kernel.probe(questions.map(({ port, mac, ip }) => ({ port, lladdr: mac, ip, from })));
    };
    attemptOn(this.#device, 'guests', ask, this.#faults);
  }

  heard({ port, mac, ip, kind }: Sender): void {
    if (ip !== undefined && kind !== 'dad') this.#asked.get(keyOf(port, mac, ip))?.end(true);
  }

  /** Ends the questions of a port, or all, without an answer. */
  stop(port?: number): void {
    for (const asked of [...this.#asked.values()])
      if (port === undefined || asked.port === port) asked.end(false);
  }
}

/** Traffic that goes on beside a fault, so that what the fault costs is counted in packets. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Guest } from '../../src/lab/guest.ts';
import type { Lab } from '../../src/lab/lab.ts';
import type { Namespace } from '../../src/lab/namespace.ts';
import type { Program } from '../../src/lab/program.ts';
import { until } from '../../src/lab/wait.ts';

export interface Carried {
  sent: number;
  /** Requests that were never answered. */
  lost: number;
  /** The first of their sequence numbers, so that a failure says when it was; ping begins with 1. */
  missing: number[];
}

/** More sequence numbers are not said. */
const MOST_MISSING = 20;
/** The last request may be under way when ping is told to stop. */
const UNDER_WAY = 2;

export class Traffic {
  readonly #program: Program;

  /** Echo requests every 10 ms by default; resolves when the first one is answered. */
  static async start(
    lab: Lab,
    from: Namespace | Guest,
    to: string,
    { interval = 0.01, more = [] }: { interval?: number; more?: readonly string[] } = {},
  ): Promise<Traffic> {
    const namespace = 'namespace' in from ? from.namespace : from;
    // stdbuf: what is answered is seen at once.
    const argv = ['stdbuf', '-oL', 'ping', '-n', '-i', String(interval), ...more, to];
    const program = await lab.start(namespace.inside(argv));
    const traffic = new Traffic(program);
    await program.until('a first answer', () => traffic.answered > 0);
    return traffic;
  }

  private constructor(program: Program) {
    this.#program = program;
  }

  /** Answers so far. */
  get answered(): number {
    return this.#program.lines.filter((line) => /icmp_seq=.* time=/.test(line)).length;
  }

  /** Goes on for a while. */
  async for(milliseconds: number): Promise<void> {
    await sleep(milliseconds);
  }

  /** Waits until something is answered that was asked from now on. */
  async flows(timeout = 10_000): Promise<void> {
    const before = this.answered;
    await until('traffic to flow', () => this.answered > before + UNDER_WAY, { timeout });
  }

  async stop(): Promise<Carried> {
    this.#program.signal('SIGINT');
    await this.#program.ended;
    const text = this.#program.lines.join('\n');
    const sent = Number(/^(\d+) packets transmitted/m.exec(text)?.[1]);
    const answered = new Set<number>();
    for (const [, sequence] of text.matchAll(/icmp_seq=(\d+) .*time=/g)) answered.add(Number(sequence));
    const last = Math.max(...answered, 0);
    const missing = Array.from({ length: last }, (_, index) => index + 1).filter((one) => !answered.has(one));
    return {
      sent,
      lost: missing.length + Math.max(0, sent - last - UNDER_WAY),
      missing: missing.slice(0, MOST_MISSING),
    };
  }
}

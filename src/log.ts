import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import type { Clock } from './clock.ts';

export type { Logger } from 'pino';

export interface LogOptions {
  logLevel: string;
  logFormat?: 'json' | 'pretty';
}

/** One line per thing an operator acts on, on stderr; standard output belongs to commands that print. */
export function openLog({ logLevel, logFormat }: LogOptions): Logger {
  const options = { level: logLevel, base: null };
  const format = logFormat ?? (process.stderr.isTTY ? 'pretty' : 'json');
  if (format === 'json') return pino(options, pino.destination({ dest: 2, sync: true }));
  const colorize = process.stderr.isTTY && process.env['NO_COLOR'] === undefined;
  return pino(
    options,
    pretty({ destination: 2, sync: true, colorize, ignore: 'pid,hostname', translateTime: 'HH:MM:ss.l' }),
  );
}

/** Complaints alike are one line a minute, with how many there were and the latest as an example. */
const FOLD = 60_000;
/** Kinds of complaint remembered at once; beyond that the oldest starts over. */
const MOST_KINDS = 4_096;

interface Folded {
  since: number;
  count: number;
  example: string;
}

/** Says a complaint at once and then holds its like back; `flush`, called every few seconds, says what was held. */
export class FoldedLog {
  readonly #log: Logger;
  readonly #now: Clock;
  readonly #kinds = new Map<string, Folded>();

  constructor(log: Logger, now: Clock) {
    this.#log = log;
    this.#now = now;
  }

  warn(kind: string, example: string): void {
    const known = this.#kinds.get(kind);
    if (known !== undefined) {
      known.count++;
      known.example = example;
      return;
    }
    if (this.#kinds.size >= MOST_KINDS)
      for (const oldest of [...this.#kinds.keys()].slice(0, 1)) this.#kinds.delete(oldest);
    this.#kinds.set(kind, { since: this.#now(), count: 0, example });
    this.#log.warn(`${kind}: ${printable(example)}`);
  }

  flush(): void {
    const now = this.#now();
    for (const [kind, folded] of this.#kinds) {
      if (now - folded.since < FOLD) continue;
      if (folded.count === 0) {
        this.#kinds.delete(kind);
        continue;
      }
      const { count, example } = folded;
      this.#kinds.set(kind, { since: now, count: 0, example });
      this.#log.warn(
        `${kind}: ${count} more in ${Math.round((now - folded.since) / 1000)} s, the latest ${printable(example)}`,
      );
    }
  }
}

const LONGEST_EXAMPLE = 200;

/** A record is anybody's to write: control characters must not reach a terminal, nor a megabyte the log. */
function printable(text: string): string {
  const short = text.length > LONGEST_EXAMPLE ? `${text.slice(0, LONGEST_EXAMPLE)}…` : text;
  return short.replace(
    /[\p{Cc}\p{Cf}]/gu,
    (one) => `\\x${(one.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`,
  );
}

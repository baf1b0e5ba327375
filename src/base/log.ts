import { fstatSync } from 'node:fs';
import { type Logger, pino } from 'pino';
import { prettyFactory } from 'pino-pretty';
import type { Clock } from './clock.ts';
import { type LogOutput, standardError } from './log-output.ts';

export type { Logger } from 'pino';

export interface LogOptions {
  logLevel: string;
  logFormat?: 'json' | 'pretty';
}

const PRETTY = { colorize: false, ignore: 'pid,hostname' };

/** journald adds the time itself, and reads the priority from the head of the line (sd-daemon(3)). */
const JOURNAL = {
  ignore: 'pid,hostname,time,level',
  singleLine: true,
  messageFormat: (line: Record<string, unknown>, key: string): string =>
    `<${priority(Number(line['level']))}>${String(line[key])}`,
};

/** From pino's levels to syslog's. */
function priority(level: number): number {
  if (level >= 60) return 2;
  if (level >= 50) return 3;
  if (level >= 40) return 4;
  return level >= 30 ? 6 : 7;
}

/** Whether standard error is the journal's (systemd.exec(5), JOURNAL_STREAM). */
function isJournal(): boolean {
  const { dev, ino } = fstatSync(2);
  return process.env['JOURNAL_STREAM'] === `${dev}:${ino}`;
}

let output: LogOutput | undefined;

/** Lines of the log that could not be written. */
export const linesLost = (): number => output?.lost ?? 0;

/** One line per thing an operator acts on, on stderr; standard output belongs to commands that print. */
export function openLog({ logLevel, logFormat }: LogOptions, to: LogOutput = standardError()): Logger {
  output = to;
  const format = logFormat ?? (process.stderr.isTTY ? 'pretty' : 'json');
  const print = format === 'json' ? String : prettyFactory(prettyOptions());
  const write = (line: string): void => {
    to.write(print(line));
  };
  const log = pino({ level: logLevel, base: null }, { write });
  to.onRecovery = (lost, reason) => {
    log.warn(`${lost} lines of the log were lost: ${reason}`);
  };
  process.once('exit', () => {
    to.flush();
  });
  return log;
}

function prettyOptions(): Parameters<typeof prettyFactory>[0] {
  if (isJournal()) return { ...PRETTY, ...JOURNAL };
  const colorize = process.stderr.isTTY && process.env['NO_COLOR'] === undefined;
  return { ...PRETTY, colorize, translateTime: 'HH:MM:ss.l' };
}

/** Equal complaints become one line a minute, with their number and the latest as an example. */
const FOLD = 60_000;
/** Kinds of complaint remembered at once; beyond that the oldest starts over. */
const MOST_KINDS = 4_096;

interface Folded {
  level: 'info' | 'warn';
  kind: string;
  since: number;
  count: number;
  example: string | undefined;
}

/** Logs a complaint at once and then holds equal ones back; `flush`, called every few seconds, logs the held ones. */
export class FoldedLog {
  readonly #log: Logger;
  readonly #now: Clock;
  readonly #kinds = new Map<string, Folded>();

  constructor(log: Logger, now: Clock) {
    this.#log = log;
    this.#now = now;
  }

  /**
   * @param apart distinguishes complaints of one kind, each of which is logged at once
   * @param trace an error whose stack is worth a line of debugging where the complaint is logged at once
   */
  warn(kind: string, example: string, { apart = '', trace }: { apart?: string; trace?: unknown } = {}): void {
    if (!this.#say(`${kind} ${apart}`, 'warn', kind, example)) return;
    if (trace instanceof Error) this.#log.debug(trace.stack);
  }

  /** The same at level info. */
  info(kind: string): void {
    this.#say(kind, 'info', kind, undefined);
  }

  /** @returns whether the complaint was logged, not only counted */
  #say(key: string, level: Folded['level'], kind: string, example: string | undefined): boolean {
    const known = this.#kinds.get(key);
    if (known !== undefined) {
      known.count++;
      known.example = example;
      return false;
    }
    if (this.#kinds.size >= MOST_KINDS)
      for (const oldest of [...this.#kinds.keys()].slice(0, 1)) this.#kinds.delete(oldest);
    this.#kinds.set(key, { level, kind, since: this.#now(), count: 0, example });
    this.#log[level](example === undefined ? kind : `${kind}: ${printable(example)}`);
    return true;
  }

  flush(): void {
    const now = this.#now();
    for (const [key, folded] of this.#kinds) {
      const { level, kind, since, count, example } = folded;
      if (now - since < FOLD) continue;
      if (count === 0) {
        this.#kinds.delete(key);
        continue;
      }
      Object.assign(folded, { since: now, count: 0 });
      const latest = example === undefined ? '' : `, the latest ${printable(example)}`;
      this.#log[level](`${kind}: ${count} more in ${Math.round((now - since) / 1000)} s${latest}`);
    }
  }
}

const LONGEST_EXAMPLE = 200;

/** Records are untrusted: their control characters must not reach a terminal, nor a megabyte of text the log. */
function printable(text: string): string {
  const short = text.length > LONGEST_EXAMPLE ? `${text.slice(0, LONGEST_EXAMPLE)}…` : text;
  return short.replace(
    /[\p{Cc}\p{Cf}]/gu,
    (one) => `\\x${(one.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`,
  );
}

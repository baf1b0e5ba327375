/**
 * What SIGHUP does: the configuration is read again as at the start, and judged whole before anything of it is in force.
 * Most options are values that are read where they are used; the rest is said to need a restart.
 */
import { isDeepStrictEqual } from 'node:util';
import type { RunOptions } from '../config/options.ts';
import { type RedisTarget, redisTarget } from '../directory/redis/url.ts';
import { vtepAllowance } from '../directory/vtep-allow.ts';
import { reasonOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';

/** Options that take effect while the daemon runs. */
export const LIVE = [
  ...(['logLevel', 'lifetime', 'idle', 'negativeLifetime', 'audit', 'withdrawalGrace'] as const),
  ...(['maxEntries', 'lookupRate', 'vtepAllow', 'device'] as const),
] as const satisfies (keyof RunOptions)[];

export type LiveOptions = Pick<RunOptions, (typeof LIVE)[number]>;

/** Files whose contents may have changed under the same name. */
const ACCESS: readonly string[] = [
  'redisPasswordFile',
  'redisSentinelPasswordFile',
  'redisCa',
  'redisCert',
  'redisKey',
];

export interface Reloaded {
  /** Reads flags, environment and files again. @throws UsageError */
  read: () => RunOptions;
  /** Puts options in force; called only after a change. */
  apply: (live: LiveOptions, changed: ReadonlySet<keyof LiveOptions>) => void;
  /** Connects anew with these credentials. */
  connect: (target: RedisTarget) => void;
}

export class Reload {
  readonly #log: Logger;
  readonly #does: Reloaded;
  #options: RunOptions;
  #target: RedisTarget | undefined;

  /** @param options those in force */
  constructor(options: RunOptions, log: Logger, does: Reloaded) {
    this.#options = { ...options };
    this.#target = targetOf(options);
    this.#log = log;
    this.#does = does;
  }

  /** Never throws: an invalid configuration changes nothing. */
  run(): void {
    const before = this.#options;
    let next: RunOptions;
    let target: RedisTarget | undefined;
    try {
      next = this.#does.read();
      vtepAllowance(next.vtepAllow);
      target = targetOf(next);
    } catch (error) {
      this.#log.error(`SIGHUP: nothing is changed: ${reasonOf(error)}`);
      return;
    }
    const changed = keysOf(next, before).filter((key) => !isDeepStrictEqual(next[key], before[key]));
    const live = LIVE.filter((key) => changed.includes(key));
    const moved = !isSamePlace(target, this.#target);
    const restart = changed.filter(
      (key) => !live.some((one) => one === key) && !(ACCESS.includes(key) || key === 'redis'),
    );
    const said = live.map((key) => `${nameOf(key)} ${shown(before[key])} → ${shown(next[key])}`);
    if (live.length > 0) {
      const values = Object.fromEntries(LIVE.map((key) => [key, next[key]])) as unknown as LiveOptions;
      this.#options = { ...before, ...values };
      this.#does.apply(values, new Set(live));
    }
    if (!moved && target !== undefined && !isDeepStrictEqual(target, this.#target)) {
      this.#target = target;
      this.#does.connect(target);
      said.push('another password or certificate for Redis: connecting with it');
    }
    this.#log.info(`SIGHUP: ${said.length === 0 ? 'nothing else is in force' : said.join('; ')}`);
    const names = [...restart.map(nameOf), ...(moved ? ['redis'] : [])];
    if (names.length > 0) this.#log.warn(`SIGHUP: a restart is needed for another ${names.join(', ')}`);
  }
}

const keysOf = (...of: RunOptions[]): (keyof RunOptions)[] => [
  ...new Set(of.flatMap((options) => Object.keys(options) as (keyof RunOptions)[])),
];

const targetOf = (options: RunOptions): RedisTarget | undefined =>
  options.directory === undefined ? redisTarget(options) : undefined;

/** Whether they differ in credentials at most. The name says where without them. */
const isSamePlace = (one: RedisTarget | undefined, other: RedisTarget | undefined): boolean =>
  one?.name === other?.name &&
  one?.db === other?.db &&
  one?.where.kind === other?.where.kind &&
  (one?.tls === undefined) === (other?.tls === undefined);

const nameOf = (key: string): string => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

const shown = (value: unknown): string =>
  Array.isArray(value) ? (value.length === 0 ? 'any' : value.join(',')) : String(value);

/** Parsers of option values. Each takes the text of a flag, variable or file and throws commander's InvalidArgumentError. */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { InvalidArgumentError } from 'commander';
import { NETWORK_NAME } from '../directory/network.ts';
import { STRATEGIES, type VniStrategy } from '../model/strategy.ts';

const MAX_VNI = 16_777_215;

/** A year, s: the longest lifetime of any option. */
export const YEAR = 31_536_000;
/** A day, s: the longest between two rounds of anything. A timer of Node takes 24.8 days at most, and fires at once beyond that. */
export const DAY = 86_400;

/** Seconds, fractions allowed. */
export const seconds =
  (least: number, most: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!/^\d+(\.\d+)?$/.test(text) || value < least || value > most)
      throw new InvalidArgumentError(`expected seconds from ${least} to ${most}.`);
    return value;
  };

/** Decimal digits only: what else JavaScript takes for a number (`0x10`, `1e3`, an empty text) is refused. */
export const integer =
  (least: number, most: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most)
      throw new InvalidArgumentError(`expected a whole number from ${least} to ${most}.`);
    return value;
  };

const UNITS: Record<string, number> = { '': 1, KiB: 1024, MiB: 1024 ** 2 };

/** Bytes, as `67108864` or `64MiB`. */
export const bytes = (text: string): number => {
  const match = /^(\d+) ?(KiB|MiB)?$/.exec(text);
  const value = match === null ? NaN : Number(match[1]) * (UNITS[match[2] ?? ''] ?? NaN);
  if (!(value >= 1 && value <= 2 ** 30))
    throw new InvalidArgumentError('expected bytes, such as 64MiB, at most 1024MiB.');
  return value;
};

export const vni = integer(1, MAX_VNI);

export const ip = (text: string): string => {
  if (isIP(text) === 0) throw new InvalidArgumentError('expected an IP address.');
  const address = ipaddr.parse(text);
  return address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString();
};

/** A link-local address may name its interface, as `ip` shows it: records name none. */
export const localIp = (text: string): string => {
  const match = /^(fe[89ab][0-9a-f]:[^%]*)%[^%/\s]{1,15}$/i.exec(text);
  return ip(match?.[1] ?? text);
};

export const cidr = (text: string): string => {
  if (!ipaddr.isValidCIDR(text)) throw new InvalidArgumentError('expected a CIDR such as 10.0.0.0/8.');
  return text;
};

export const keyPrefix = (text: string): string => {
  if (!/^[A-Za-z0-9_.-]+$/.test(text))
    throw new InvalidArgumentError('expected letters, digits, "_", "." and "-".');
  return text;
};

export interface HostPort {
  host: string;
  port: number;
}

/** `HOST:PORT`, an IPv6 host in brackets. */
export const hostPort = (text: string): HostPort => {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65535) throw new InvalidArgumentError('expected HOST:PORT.');
  return { host: match[1] ?? match[2] ?? '', port };
};

/** A name under /run/netns, or a path. */
export const netns = (text: string): string => {
  if (text === '' || text === '.' || text === '..')
    throw new InvalidArgumentError('expected a name or a path.');
  return text.includes('/') ? text : `/run/netns/${text}`;
};

export const deviceName = (text: string): string => {
  // dev_valid_name(), net/core/dev.c: at most 15 bytes, no slash, colon or space.
  if (!/^[^/:\s]{1,15}$/.test(text) || text === '.' || text === '..')
    throw new InvalidArgumentError('expected an interface name.');
  return text;
};

export const networkName = (text: string): string => {
  if (!NETWORK_NAME.test(text))
    throw new InvalidArgumentError(
      'expected the name of a network: a lower-case letter, then at most 11 letters, digits and dashes.',
    );
  return text;
};

/** It stands in keys, and in values that spaces divide. */
export const hostId = (text: string): string => {
  if (!/^[A-Za-z0-9_.:-]{1,64}$/.test(text))
    throw new InvalidArgumentError('expected at most 64 letters, digits, "_", ".", ":" and "-".');
  return text;
};

/** `VNI=STRATEGY`. */
export const strategy = (text: string): VniStrategy => {
  const [number = '', name, ...rest] = text.split('=');
  const chosen = STRATEGIES.find((one) => one === name);
  if (chosen === undefined || rest.length > 0)
    throw new InvalidArgumentError(`expected VNI=${STRATEGIES.join('|')}.`);
  return { vni: vni(number), strategy: chosen };
};

/** Each VNI has one strategy. */
export const strategies = (text: string, before: VniStrategy[] | undefined): VniStrategy[] => {
  const chosen = list(strategy)(text, before);
  const twice = chosen.find(
    (one, index) => chosen.findIndex((other) => other.vni === one.vni && other !== one) > index,
  );
  if (twice !== undefined) throw new InvalidArgumentError(`VNI ${twice.vni} is given two strategies.`);
  return chosen;
};

/** Repeatable: each use adds to those before it, and one use may hold several, separated by commas. */
export const list =
  <T>(one: (text: string) => T) =>
  (text: string, before: T[] | undefined): T[] => [
    ...(before ?? []),
    ...text.split(',').map((part) => one(part.trim())),
  ];

/** `true` or `false`, for switches set by environment or file. */
export const flag = (value: unknown): boolean => {
  if (value === true || value === 'true' || value === '1') return true;
  if (value === false || value === 'false' || value === '0') return false;
  throw new InvalidArgumentError('expected true or false.');
};

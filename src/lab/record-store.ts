/** The directory of a lab: in Redis, or in a file that daemons read again. */
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { DaemonOptions } from './daemon.ts';
import type { Guest } from './guest.ts';
import type { Lab } from './lab.ts';
import { addressRecords, macRecord, subnetKey, subnetsKey } from './records.ts';
import { RedisServer } from './redis-server.ts';
import { RoutedSegment } from './routed-segment.ts';

export interface RecordStore {
  /** The options with which a daemon reads the directory. */
  readonly source: Pick<DaemonOptions, 'redis' | 'directory'>;
  /**
   * Writes the records of these guests; for hosts that route, the leases of their subnets.
   * @returns the time from which the records can be read, ms since the epoch
   */
  publish(...guests: readonly Guest[]): Promise<number>;
  /** The commands that show or write the published records, and their output. */
  shown(): { command: string; printed: string[] }[];
}

/** The subnets of these guests, for hosts that route. */
export function leasesOf(guests: readonly Guest[]): { segment: RoutedSegment; cidr: string }[] {
  const leases = new Map<string, { segment: RoutedSegment; cidr: string }>();
  for (const { segment, ip4, ip6 } of guests) {
    if (!(segment instanceof RoutedSegment)) continue;
    // A guest without an address of a family needs no lease of that family.
    const cidrs = segment.subnets.filter((cidr) => (cidr.includes(':') ? ip6 : ip4) !== undefined);
    for (const cidr of cidrs) leases.set(cidr, { segment, cidr });
  }
  return [...leases.values()];
}

export class RedisStore implements RecordStore {
  readonly source: { redis: string };
  readonly #redis: RedisServer;
  readonly #typed: string[] = [];

  static async start(lab: Lab): Promise<RedisStore> {
    return new RedisStore(await RedisServer.start(lab));
  }

  private constructor(redis: RedisServer) {
    this.#redis = redis;
    this.source = { redis: redis.socket };
  }

  /** In one transaction, as `missd endpoint set` and `missd subnet set` write them. */
  async publish(...guests: readonly Guest[]): Promise<number> {
    const leases = leasesOf(guests);
    const endpoints = guests.filter(({ segment }) => !(segment instanceof RoutedSegment));
    const entries = [
      ...endpoints.flatMap((guest) => [...addressRecords(guest), macRecord(guest)]),
      ...leases.map(({ segment: { vni, mac, host }, cidr }) => [subnetKey(vni, cidr), `${mac} ${host.vtep}`]),
    ];
    const lines = [
      ...entries.map(([key, value]) => `SET '${key}' '${value}'`),
      ...leases.map(({ segment: { vni }, cidr }) => `SADD '${subnetsKey(vni)}' '${cidr}'`),
    ];
    this.#typed.push(...lines.map((line) => `redis-cli ${line}`));
    const said = await this.#redis.commands(['MULTI', ...lines, 'TIME', 'EXEC']);
    const [seconds, micros] = said.trim().split('\n').slice(-2).map(Number);
    return (seconds ?? 0) * 1000 + (micros ?? 0) / 1000;
  }

  shown(): { command: string; printed: string[] }[] {
    return this.#typed.map((command) => ({ command, printed: [] }));
  }
}

export class FileStore implements RecordStore {
  readonly source: { directory: string };
  readonly #endpoints = new Map<string, { vni: number; ip: string; mac: string; vtep: string }>();

  constructor(lab: Lab) {
    this.source = { directory: join(lab.directory, 'endpoints.yaml') };
    this.#write();
  }

  publish(...guests: readonly Guest[]): Promise<number> {
    for (const { ip4, ip6, mac, segment } of guests) {
      for (const ip of [ip4, ip6].filter((address) => address !== undefined)) {
        this.#endpoints.set(`${segment.vni} ${ip}`, { vni: segment.vni, ip, mac, vtep: segment.host.vtep });
      }
    }
    this.#write();
    return Promise.resolve(Date.now());
  }

  shown(): { command: string; printed: string[] }[] {
    return [{ command: `cat ${this.source.directory}`, printed: this.#text().trimEnd().split('\n') }];
  }

  /** Writes a new file and renames it, so that no daemon reads half a file. */
  #write(): void {
    const { directory } = this.source;
    writeFileSync(`${directory}.new`, this.#text());
    renameSync(`${directory}.new`, directory);
  }

  /** One line per endpoint, as in the documentation. */
  #text(): string {
    const rows = new Map<number, string[]>();
    for (const { vni, ...endpoint } of this.#endpoints.values()) {
      const row = stringify(endpoint, { collectionStyle: 'flow', lineWidth: 0 }).trim();
      rows.set(vni, [...(rows.get(vni) ?? []), `      - ${row}\n`]);
    }
    const vnis = [...rows].map(([vni, lines]) => `  ${vni}:\n    endpoints:\n${lines.join('')}`);
    return vnis.length === 0 ? 'vnis: {}\n' : `vnis:\n${vnis.join('')}`;
  }
}

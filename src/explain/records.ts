/** Reads the directory, Redis or a file, for one command: values as stored, and their TTL. */
import type { DirectoryOptions } from '../directory/options.ts';
import type { RecordKey, StoredRecord } from '../directory/directory.ts';
import { readDirectoryFile } from '../directory/file/records.ts';
import { redisTarget } from '../directory/redis/url.ts';
import { RedisWriter } from '../directory/redis/writer.ts';
import type { Mac, Vni } from '../base/vocabulary.ts';
import type { OwnerFacts } from './facts.ts';
import { readOwner } from './read-owner.ts';

export interface Found {
  key: string;
  value: string;
  /** Seconds until the record expires. */
  ttl?: number;
}

export interface RecordSource {
  get(key: RecordKey): Promise<Found | undefined>;
  leases(vni: Vni): Promise<(Found & { cidr: string })[]>;
  /** Who has published the records of a MAC; undefined if its VNI has no network that publishes. */
  owner(vni: Vni, mac: Mac): Promise<OwnerFacts | undefined>;
  /** All `ip:` and `mac:` records of a VNI, in batches. */
  everything(vni: Vni): AsyncIterable<StoredRecord[]> | Iterable<StoredRecord[]>;
}

export interface RecordOptions extends DirectoryOptions {
  directory?: string;
}

export const directoryName = (options: RecordOptions): string =>
  options.directory ?? redisTarget(options).name;

/** @throws RuntimeFailure or UsageError, a message of one line, if the directory cannot be read */
export function withRecords<T>(
  options: RecordOptions,
  act: (source: RecordSource) => Promise<T>,
): Promise<T> {
  if (options.directory !== undefined) return act(fileSource(options.directory));
  return RedisWriter.use(redisTarget(options), options.keyPrefix, (redis) => act(redisSource(redis)));
}

function redisSource(redis: RedisWriter): RecordSource {
  const { keys } = redis;
  return {
    get: async (key) => {
      const name = keys.record(key);
      const [value] = await redis.values([name]);
      const [ttl] = await redis.ttls([name]);
      return value == null ? undefined : { key: name, value, ...(ttl !== undefined && { ttl }) };
    },
    leases: async (vni) => {
      const cidrs = (await redis.members(vni)) ?? [];
      const names = cidrs.map((cidr) => keys.lease(vni, cidr));
      const [values, ttls] = [await redis.values(names), await redis.ttls(names)];
      return cidrs.flatMap((cidr, index) => {
        const [key = '', value, ttl] = [names[index], values[index], ttls[index]];
        return value == null ? [] : [{ cidr, key, value, ...(ttl !== undefined && { ttl }) }];
      });
    },
    owner: (vni, mac) => readOwner(redis, vni, mac),
    everything: async function* (vni) {
      for await (const found of redis.scan(vni)) {
        const records = found.flatMap((raw) => {
          const key = keys.decode(raw);
          return key?.what === 'record' ? [key.key] : [];
        });
        const values = await redis.values(records.map((key) => keys.record(key)));
        yield records.flatMap<StoredRecord>((key, index) => {
          const value = values[index];
          return value == null ? [] : [[key, value]];
        });
      }
    },
  };
}

function fileSource(file: string): RecordSource {
  const contents = readDirectoryFile(file);
  return {
    get: ({ vni, kind, address }) => {
      const value = contents.get(vni)?.values.get(`${kind}:${address}`);
      return Promise.resolve(value === undefined ? undefined : { key: `${kind}:${address}`, value });
    },
    leases: (vni) => {
      const leases = contents.get(vni)?.leases.all() ?? [];
      return Promise.resolve(leases.map(({ cidr, value }) => ({ cidr, key: `subnet:${cidr}`, value })));
    },
    owner: () => Promise.resolve(undefined),
    everything: (vni) => [
      [...(contents.get(vni)?.values ?? [])].map<StoredRecord>(([name, value]) => {
        const kind = name.startsWith('ip:') ? 'ip' : 'mac';
        return [{ vni, kind, address: name.slice(kind.length + 1) }, value];
      }),
    ],
  };
}

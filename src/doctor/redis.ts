/** Reads the facts about a Redis server: its configuration, the permitted commands, round trips and the clock. */
import { Cluster, type Redis } from 'ioredis';
import type { RedisWriter } from '../directory/redis/writer.ts';
import { membersOf } from '../directory/redis/scan.ts';
import { TAKE_PART, takePartArguments } from '../directory/redis/members.ts';
import { reasonOf } from '../base/errors.ts';
import type { Vni } from '../base/vocabulary.ts';

/** A command that Redis refused. */
export interface Refused {
  /** As `ACL SETUSER` names it, without the plus. */
  command: string;
  reason: string;
}

export interface RedisFacts {
  /** Fields of INFO; empty if INFO is not permitted. */
  info: ReadonlyMap<string, string>;
  infoRefused?: string;
  /** `default` without authentication. */
  user?: string;
  /** CONFIG GET save; undefined if it is not permitted. */
  save?: string;
  refused: readonly Refused[];
  /** Round trips, ms, ascending. */
  roundTrips: readonly number[];
  /** How far this host's clock is ahead of the server's, and the uncertainty, ms. */
  clock: { ahead: number; within: number };
  /** The client's connection: to one server or to a cluster. */
  kind: 'one' | 'cluster';
}

const PINGS = 5;
/** A documentation address (RFC 5737), which has no record. */
const UNUSED_ADDRESS = '192.0.2.1';
const CHANNEL = '__redis__:invalidate';

/** @param vni a VNI whose keys the user must be allowed to read */
export async function readRedis(writer: RedisWriter, vni: Vni, broadcast: boolean): Promise<RedisFacts> {
  const { client } = writer;
  const node = client instanceof Cluster ? client.nodes('master')[0] : client;
  if (node === undefined) throw new Error('the cluster has no master');
  const roundTrips: number[] = [];
  const refused: Refused[] = [];
  const attempt = async <T>(command: string, ask: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await ask();
    } catch (error) {
      if (isRefusal(error)) refused.push({ command, reason: reasonOf(error).replace(/^NOPERM /, '') });
      else if (!isHarmless(error)) throw error;
      return undefined;
    }
  };
  for (let n = 0; n < PINGS; n++) {
    const before = performance.now();
    await attempt('ping', () => node.ping());
    roundTrips.push(performance.now() - before);
  }
  const clock = await readClock(node).catch(() => ({ ahead: 0, within: Infinity }));
  await tryRights(writer, node, vni, broadcast, attempt);
  const text = await node.info().catch((error: unknown) => error as Error);
  const user = await node.acl('WHOAMI').catch(() => undefined);
  const save = await node.config('GET', 'save').catch(() => undefined);
  return {
    info: typeof text === 'string' ? parseInfo(text) : new Map(),
    ...(typeof text !== 'string' && { infoRefused: reasonOf(text) }),
    ...(typeof user === 'string' && { user }),
    ...(Array.isArray(save) && typeof save[1] === 'string' && { save: save[1] }),
    ...{ refused, clock, roundTrips: roundTrips.sort((a, b) => a - b) },
    kind: client instanceof Cluster ? 'cluster' : 'one',
  };
}

/** Tries each command that the daemon uses, on keys that do not exist: only a trial shows whether it is permitted. */
async function tryRights(
  { keys, client }: RedisWriter,
  node: Redis,
  vni: Vni,
  broadcast: boolean,
  attempt: (command: string, ask: () => Promise<unknown>) => Promise<unknown>,
): Promise<void> {
  const record = keys.record({ vni, kind: 'ip', address: UNUSED_ADDRESS });
  const vteps = keys.vteps(vni);
  await attempt('mget', () => client.mget(record));
  await attempt('getrange', () => client.getrange(record, 0, 0));
  await attempt('scan', () => node.scan('0', 'MATCH', keys.pattern(vni), 'COUNT', 1));
  // missd uses SMEMBERS if SSCAN is not permitted.
  await attempt('sscan', () => membersOf(client, keys.leases(vni)).next());
  await attempt('dbsize', () => node.dbsize());
  if (broadcast) {
    // No member is named, so nothing is written. Redis checks the rights before it refuses the invalid score.
    await attempt('eval', () => client.eval(TAKE_PART, 1, vteps, ...takePartArguments([], 0)));
    await attempt('zadd', () => client.call('ZADD', vteps, 'none', UNUSED_ADDRESS));
    await attempt('zrem', () => client.zrem(vteps, UNUSED_ADDRESS));
  }
  // A subscribed connection cannot run other commands, so the feed has a connection of its own.
  const feed = node.duplicate({ lazyConnect: true, retryStrategy: () => null });
  feed.on('error', () => undefined);
  try {
    await feed.connect();
    const id = await attempt('client|id', () => feed.client('ID'));
    if (typeof id === 'number')
      await attempt('client|tracking', () =>
        feed.client('TRACKING', 'ON', 'REDIRECT', id, 'BCAST', 'PREFIX', keys.prefix),
      );
    await attempt('subscribe', () => feed.subscribe(CHANNEL));
  } finally {
    feed.disconnect();
  }
}

/** NOPERM is the error of Redis 6 and later; a command that was renamed in redis.conf is unknown. */
const isRefusal = (error: unknown): boolean => /NOPERM|unknown command/i.test(reasonOf(error));
/** Redis refused the arguments, after it had checked the rights. */
const isHarmless = (error: unknown): boolean => /not a valid float|WRONGTYPE|syntax/i.test(reasonOf(error));

async function readClock(node: Redis): Promise<RedisFacts['clock']> {
  let best = { ahead: 0, within: Infinity };
  for (let n = 0; n < PINGS; n++) {
    const before = performance.now();
    const [seconds = 0, microseconds = 0] = (await node.time()).map(Number);
    const took = performance.now() - before;
    const there = seconds * 1000 + microseconds / 1000;
    if (took / 2 < best.within) best = { ahead: Date.now() - took / 2 - there, within: took / 2 };
  }
  return best;
}

export const parseInfo = (text: string): Map<string, string> =>
  new Map([...text.matchAll(/^([a-z_0-9]+):(.*?)\r?$/gm)].map(([, name = '', value = '']) => [name, value]));

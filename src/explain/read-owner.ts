/** Reads who has published the records of a MAC. What the server does not permit is left out. */
import { UsageError } from '../base/errors.ts';
import type { Mac, Vni } from '../base/vocabulary.ts';
import { parseNetwork } from '../directory/network-schema.ts';
import { RedisNetworks } from '../directory/redis/networks.ts';
import { parseOwner } from '../directory/redis/owner.ts';
import { isNotPermitted, isWrongType } from '../directory/redis/reason.ts';
import type { RedisWriter } from '../directory/redis/writer.ts';
import type { CompanionFacts, OwnerFacts } from './facts.ts';

/** ms in which moves are counted, as in move.lua (RFC 7432, 15.1). */
const WINDOW = 180_000;

/** @returns undefined if no network of the VNI publishes its guests */
export async function readOwner(redis: RedisWriter, vni: Vni, mac: Mac): Promise<OwnerFacts | undefined> {
  const network = await publishingNetwork(redis, vni);
  if (network === undefined) return undefined;
  try {
    const companion = await readCompanion(redis, vni, mac);
    return { network, mac, ...(companion !== undefined && { companion }) };
  } catch (error) {
    if (isNotPermitted(error)) return { network, mac, refused: true };
    if (isWrongType(error)) return { network, mac };
    throw error;
  }
}

/** Its name. The guests of a routed network have addresses of its hosts' prefixes, and no records. */
async function publishingNetwork({ client, keys }: RedisWriter, vni: Vni): Promise<string | undefined> {
  try {
    const stored = await new RedisNetworks(client, keys).record(vni);
    if (stored === undefined) return undefined;
    const { name, publish, mode } = parseNetwork(stored.value, vni);
    return publish !== 'none' && mode === 'bridged' ? name : undefined;
  } catch (error) {
    if (isNotPermitted(error) || error instanceof UsageError) return undefined;
    throw error;
  }
}

async function readCompanion(redis: RedisWriter, vni: Vni, mac: Mac): Promise<CompanionFacts | undefined> {
  const { client, keys } = redis;
  const owner = parseOwner(await client.hgetall(keys.owner(vni, mac)));
  if (owner === undefined) return undefined;
  const { host, incarnation, vtep, kind, epoch, moves, since, first, frozen, ips } = owner;
  const [lease] = await redis.ttls([keys.host(vni, host)]);
  const now = moves === 0 && frozen === 0 ? 0 : await serverTime(redis);
  return {
    ...{ host, incarnation, vtep, kind, epoch, first, ips },
    moves: now - since < WINDOW ? moves : 0,
    frozen: Math.max(0, frozen - now) / 1000,
    ...(lease !== undefined && { lease }),
  };
}

/** ms since 1970. Without the right to TIME, by the clock of this host. */
async function serverTime(redis: RedisWriter): Promise<number> {
  try {
    return await redis.now();
  } catch (error) {
    if (isNotPermitted(error)) return Date.now();
    throw error;
  }
}

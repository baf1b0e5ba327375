/** Prefixes that are reserved by hand, and given back. */
import { RuntimeFailure } from '../../base/errors.ts';
import type { Network, Reservation } from '../network.ts';
import { parseAssignment, reservedValue } from './assignment.ts';
import type { RedisWriter } from './writer.ts';

/** @throws RuntimeFailure when the prefix is a host's, or reserved */
export async function reservePrefix(
  redis: RedisWriter,
  { name, vni }: Network,
  { cidr, for: text }: Reservation,
): Promise<void> {
  const { client, keys } = redis;
  if ((await client.hsetnx(keys.prefixes(vni), cidr, reservedValue(text))) === 1) return;
  const assignment = parseAssignment((await client.hget(keys.prefixes(vni), cidr)) ?? '');
  const whose =
    assignment !== undefined && 'host' in assignment
      ? `assigned to host ${assignment.host}`
      : 'reserved already';
  throw new RuntimeFailure(`network ${name}: ${cidr} is ${whose}`);
}

/**
 * Also takes a prefix from a host whose lease has ended.
 * @throws RuntimeFailure when it is neither
 */
export async function unreservePrefix(
  redis: RedisWriter,
  { name, vni }: Network,
  cidr: string,
): Promise<void> {
  const { client, keys } = redis;
  const key = keys.prefixes(vni);
  const recorded = `record ${cidr}`;
  await redis.transaction([key], async (multi) => {
    const assignment = parseAssignment((await client.hget(key, cidr)) ?? '');
    if (assignment === undefined) throw new RuntimeFailure(`network ${name}: ${cidr} is not reserved`);
    if ('host' in assignment) {
      const lease = keys.host(vni, assignment.host);
      await client.watch(lease);
      if ((await client.exists(lease)) > 0)
        throw new RuntimeFailure(
          `network ${name}: ${cidr} is assigned to host ${assignment.host}, which is joined`,
        );
    }
    const published = await client.hget(key, recorded);
    const [record = null] = await redis.values([keys.lease(vni, cidr)]);
    if (published !== null && record === published) {
      multi.del(keys.lease(vni, cidr));
      multi.srem(keys.leases(vni), cidr);
    }
    multi.hdel(key, cidr, recorded);
  });
}

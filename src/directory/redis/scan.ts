import { type Cluster, Redis } from 'ioredis';
import { isNotPermitted } from './reason.ts';

/** Keys looked at by one SCAN: some hundred microseconds in which the server does nothing else. */
const SCAN_COUNT = 1000;

/** Keys that match, in no order and perhaps some twice, by the thousand. Never KEYS, which stops the server. */
export async function* scanKeys(client: Redis | Cluster, pattern: string): AsyncGenerator<Buffer[]> {
  const nodes = client instanceof Redis ? [client] : client.nodes('master');
  for (const node of nodes) {
    let cursor: string | Buffer = '0';
    do {
      const page: unknown = await node.scanBuffer(cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT);
      if (!isPage(page, isBytes)) throw new Error('malformed reply: to SCAN');
      const [next, found] = page;
      cursor = next.toString();
      if (found.length > 0) yield found;
    } while (cursor !== '0');
  }
}

/** Members of a set, in no order and perhaps some twice, by the thousand. */
export async function* membersOf(client: Redis | Cluster, key: string): AsyncGenerator<string[]> {
  let cursor = '0';
  do {
    const [next, found] = await pageOfMembers(client, key, cursor);
    cursor = next;
    if (found.length > 0) yield found;
  } while (cursor !== '0');
}

/** The set is read whole where that is permitted and pages are not: by rights that were given before it was read in pages. */
async function pageOfMembers(
  client: Redis | Cluster,
  key: string,
  cursor: string,
): Promise<readonly [string, string[]]> {
  try {
    const page: unknown = await client.sscan(key, cursor, 'COUNT', SCAN_COUNT);
    if (isPage(page, isText)) return page;
    if (cursor !== '0') throw new Error('malformed reply: to SSCAN');
  } catch (error) {
    if (cursor !== '0' || !isNotPermitted(error)) throw error;
  }
  const members: unknown = await client.smembers(key);
  if (!Array.isArray(members) || !members.every(isText)) throw new Error('malformed reply: to SMEMBERS');
  return ['0', members];
}

const isBytes = (one: unknown): one is Buffer => Buffer.isBuffer(one);
const isText = (one: unknown): one is string => typeof one === 'string';

/** Whether a server has answered with where to go on, and what it has found so far. */
function isPage<T>(reply: unknown, isOne: (one: unknown) => one is T): reply is [T, T[]] {
  if (!Array.isArray(reply) || reply.length !== 2) return false;
  const [next, found] = reply as [unknown, unknown];
  return isOne(next) && Array.isArray(found) && found.every(isOne);
}

import { type Cluster, Redis } from 'ioredis';

/** Keys looked at by one SCAN: some hundred microseconds in which the server does nothing else. */
const SCAN_COUNT = 1000;

/** Keys that match, in no order and perhaps some twice, by the thousand. Never KEYS, which stops the server. */
export async function* scanKeys(client: Redis | Cluster, pattern: string): AsyncGenerator<Buffer[]> {
  const nodes = client instanceof Redis ? [client] : client.nodes('master');
  for (const node of nodes) {
    let cursor: string | Buffer = '0';
    do {
      const [next, found]: [Buffer, Buffer[]] = await node.scanBuffer(
        cursor,
        'MATCH',
        pattern,
        'COUNT',
        SCAN_COUNT,
      );
      cursor = next.toString();
      if (found.length > 0) yield found;
    } while (cursor !== '0');
  }
}

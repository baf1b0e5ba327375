/** Whether what was written is on a replica: Redis replicates after it has answered, and a failover loses what it had not sent. */
import { Cluster, type Redis } from 'ioredis';

/** ms. Replicas that are well answer in one round trip; the client gives a command twice the time. */
const PATIENCE = 100;

/**
 * Waits until one replica has what this connection wrote before.
 * @param key that was written
 * @throws Error of ioredis
 */
export async function isReplicated(client: Redis | Cluster, key: string): Promise<boolean> {
  const server = client instanceof Cluster ? await masterOf(client, key) : client;
  return server !== undefined && (await server.wait(1, PATIENCE)) > 0;
}

/** The connection by which the cluster client writes this key. */
async function masterOf(cluster: Cluster, key: string): Promise<Redis | undefined> {
  const slot = await cluster.cluster('KEYSLOT', key);
  const address = cluster.slots[slot]?.[0];
  return cluster
    .nodes('master')
    .find(({ options }) => `${options.host ?? ''}:${options.port ?? 0}` === address);
}

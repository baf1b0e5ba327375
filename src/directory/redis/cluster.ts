/** What a cluster needs besides a single server: every master asked, and an end to retries. */
import type { Cluster } from 'ioredis';
import { COMMAND_TIMEOUT } from './client.ts';

/** A redirection and a retry fit in. */
const CLUSTER_DEADLINE = 2 * COMMAND_TIMEOUT;

/** Resolves when every master has answered. @throws Error when one does not, or none is known */
export async function probeCluster(cluster: Cluster): Promise<void> {
  const masters = cluster.nodes('master');
  if (cluster.status !== 'ready' || masters.length === 0) throw new Error('Connection is closed.');
  await Promise.all(masters.map((master) => master.ping()));
}

/** ioredis gives each attempt its time, a cluster command may take several attempts. */
export async function withDeadline<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error('Command timed out'));
    }, CLUSTER_DEADLINE);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

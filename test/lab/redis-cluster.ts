/** A Redis Cluster of three masters, a test's own. */
import { until } from '../../src/lab/wait.ts';
import { freePort, type RedisServer, startRedis } from './redis-server.ts';

const ARGS = [
  ...['--cluster-enabled', 'yes', '--cluster-node-timeout', '1000'],
  ...['--cluster-require-full-coverage', 'no'],
];

/** The bus port is the port and 10000, which has to be a port too. */
async function portWithBus(): Promise<number> {
  const free = await freePort();
  return free < 50_000 ? free : portWithBus();
}

/** A node that belongs to no cluster yet. */
export async function startClusterNode(): Promise<RedisServer> {
  return startRedis({ port: await portWithBus(), args: ARGS, cliArgs: ['-c'] });
}

/** Each of the three masters knows the two others, and the cluster is up. */
export async function startCluster(): Promise<{ nodes: RedisServer[]; url: string }> {
  const nodes: RedisServer[] = [];
  for (let i = 0; i < 3; i++) nodes.push(await startClusterNode());
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`);
  await nodes[0]?.cli('--cluster', 'create', ...addresses, '--cluster-yes');
  for (const node of nodes)
    await until('the cluster to be up', async () => {
      const info = await node.cli('CLUSTER', 'INFO');
      return info.includes('cluster_state:ok') && info.includes('cluster_known_nodes:3');
    });
  return { nodes, url: `redis+cluster://${addresses.join(',')}` };
}

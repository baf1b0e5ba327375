/** A Redis that daemons reach over TCP, so that packets to it can be dropped without a word. */
import { run } from '../../src/lab/command.ts';
import type { Lab } from '../../src/lab/lab.ts';
import { RedisServer } from '../../src/lab/redis-server.ts';

const PORT = 6379;
/** A /30 of the link-local range for each process, so that labs do not meet. */
const first = (process.pid % 16_000) * 4;
const address = (n: number): string => `169.254.${(first + n) >> 8}.${(first + n) & 0xff}`;

export const FAR_REDIS = `redis://${address(2)}:${PORT}`;

/** In the namespace of the underlay, joined to the daemons' own by a veth pair that goes with it. */
export async function farRedis(lab: Lab): Promise<RedisServer> {
  const { namespace } = lab.underlay;
  const near = `missd${process.pid}`;
  await run(['ip', 'link', 'add', near, 'type', 'veth', 'peer', 'name', 'redis', 'netns', namespace.name]);
  await run(['ip', 'address', 'add', `${address(1)}/30`, 'dev', near]);
  await run(['ip', 'link', 'set', near, 'up']);
  await namespace.ip(['address', 'add', `${address(2)}/30`, 'dev', 'redis'], ['link', 'set', 'redis', 'up']);
  // DEBUG SLEEP makes it slow.
  const args = ['--enable-debug-command', 'yes', '--protected-mode', 'no'];
  return RedisServer.start(lab, 'redis', { tcp: { namespace, address: address(2), port: PORT }, args });
}

/** Drops what the daemons send to it, without a reset, until the returned function is called. */
export async function dropped(lab: Lab): Promise<() => Promise<void>> {
  const { namespace } = lab.underlay;
  const nft = (...words: string[]): Promise<string> => namespace.exec(['nft', ...words]);
  await nft('add', 'table', 'inet', 'fault');
  await nft('add chain inet fault in { type filter hook input priority 0; }');
  await nft('add', 'rule', 'inet', 'fault', 'in', 'iifname', 'redis', 'drop');
  return async () => {
    await nft('delete', 'table', 'inet', 'fault');
  };
}

// Acquires prefixes of a network for hosts, each as a daemon of its own: node acquire-prefix.mjs DIST URL NETWORK ID:INCARNATION…
// Says "ready", waits for a line, and says the prefixes in one line.
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';

const [, , dist, url, name, ...hosts] = process.argv;
const load = (path) => import(new URL(path, `file://${dist}/`));
const { RedisDirectory } = await load('directory/redis/redis-directory.js');
const { parseRedisUrl } = await load('directory/redis/url.js');

// A busy machine answers late; the caller tries again.
async function again(act) {
  for (let attempt = 0; ; attempt++)
    try {
      return await act();
    } catch (error) {
      if (error.name !== 'DirectoryError' || attempt === 200) throw error;
      await setTimeout(100);
    }
}

async function prepare(host) {
  const [id, incarnation] = host.split(':');
  const directory = new RedisDirectory({ target: parseRedisUrl(url) });
  const up = new Promise((resolve) => directory.state$.subscribe((state) => state.up && resolve()));
  directory.start();
  await up;
  const network = await again(() => directory.network(name));
  return () => again(() => directory.prefixes.acquire(network, { id, incarnation, vtep: '10.99.0.1' }));
}

const acquirers = await Promise.all(hosts.map(prepare));
process.stdout.write('ready\n');
await once(process.stdin, 'data');
const acquired = await Promise.all(acquirers.map((acquire) => acquire()));
process.stdout.write(`${acquired.join(' ')}\n`);
process.exit(0);

/** Under a service manager: what it is told over a real unix socket, and when. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { attempt } from '../../src/lab/command.ts';
import { MISSD } from '../../src/lab/daemon.ts';
import { Pair, tellOnFailure } from './harness.ts';
import { ServiceManager } from './service-manager.ts';

let pair: Pair | undefined;
tellOnFailure(() => pair);
afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

/** Signs of life are asked for every 200 ms. */
const WATCHDOG_USEC = '400000';

test('ready once what is in the tables is adopted, without a directory; then it says how the directory fares', async () => {
  pair = await Pair.build();
  const { lab, host1, guest1, guest2, redis } = pair;
  await pair.publishGuests(guest1, guest2);
  expect((await guest1.ping('20.0.0.2')).received).toBe(1);
  await pair.daemon.stop();
  await redis.stop();

  const manager = await ServiceManager.start(lab, join(lab.directory, 'notify'));
  const daemon = await pair.start(host1, [], { env: { NOTIFY_SOCKET: manager.socket } });
  await manager.told('that it is ready', () => manager.count('READY=1') === 1);
  expect(daemon.log.some((line) => line.includes('adopted 1 neighbours, 1 FDB entries'))).toBe(true);
  await manager.told('of the directory', () => manager.status.includes('directory down since'));
  expect(manager.status).toMatch(
    /^ready, serving vxlan100@\S+; directory down since [-\d]+ [:\d]+ UTC \(.+\), entries stay$/,
  );

  await redis.start();
  await manager.told(
    'that it is back',
    () => manager.status === `ready, serving vxlan100@${host1.namespace.name}`,
  );
  await redis.stop();
  await manager.told('that it is gone', () => manager.status.includes('directory down since'));
  expect(await daemon.stop()).toBe(0);
  await manager.told('that it stops', () => manager.count('STOPPING=1') === 1);
  expect(manager.count('READY=1')).toBe(1);
  expect(manager.count('WATCHDOG=1')).toBe(0);
});

test('a namespace that is not there yet is waited for, for as long as it takes', async () => {
  pair = await Pair.build({ noDaemons: true });
  const { lab, host1 } = pair;
  const manager = await ServiceManager.start(lab, `@${lab.prefix}/notify`);
  const netns = ['--netns', `${lab.prefix}-late`];
  await pair.start(host1, netns, { env: { NOTIFY_SOCKET: manager.socket } });
  await manager.told('what is missing', () =>
    manager.status.startsWith(`waiting for namespace ${netns[1] ?? ''}`),
  );
  await manager.told('that it takes time', () =>
    manager.words.some((word) => word.startsWith('EXTEND_TIMEOUT_USEC=')),
  );
  expect(manager.count('READY=1')).toBe(0);
});

test('signs of life come while it lives, and stop when it hangs', async () => {
  pair = await Pair.build({ noDaemons: true });
  const { lab, host1 } = pair;
  const manager = await ServiceManager.start(lab, join(lab.directory, 'notify'));
  const daemon = await pair.start(host1, [], { env: { NOTIFY_SOCKET: manager.socket, WATCHDOG_USEC } });
  const lives = async (): Promise<void> => {
    const before = manager.count('WATCHDOG=1');
    await manager.told('that it lives', () => manager.count('WATCHDOG=1') >= before + 3);
  };
  await lives();
  daemon.program.signal('SIGSTOP');
  // What was sent before it stopped has arrived by then.
  await sleep(500);
  const before = manager.count('WATCHDOG=1');
  await sleep(1_000);
  expect(manager.count('WATCHDOG=1')).toBe(before);
  daemon.program.signal('SIGCONT');
  await lives();
});

test('the journal is told how much a line matters, and no time of ours', async () => {
  const journal = 'JOURNAL_STREAM=$(stat -Lc %d:%i /proc/self/fd/2) exec "$@"';
  const run = [process.execPath, MISSD, 'run', '--netns', 'missd-nowhere', '--listen', '127.0.0.1:0'];
  const argv = ['sh', '-c', journal, 'sh', ...run, '--log-format', 'pretty'];
  const { stderr } = await attempt(argv, { timeout: 20_000 });
  expect(stderr.split('\n')[0]).toMatch(/^<6>http:\/\//);
});

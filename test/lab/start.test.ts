import { afterEach, describe, expect, test } from 'vitest';
import { attempt } from '../../src/lab/command.ts';
import { Daemon, MISSD } from '../../src/lab/daemon.ts';
import { until } from '../../src/lab/wait.ts';
import { Pair, tellOnFailure } from './harness.ts';

let pair: Pair | undefined;
tellOnFailure(() => pair);
afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

describe('what cannot be meant is one line on stderr and exit code 2', () => {
  test.each([
    ['an unknown option', ['--frobnicate'], 'frobnicate'],
    ['an unknown log level', ['--log-level', 'loud'], 'loud'],
    ['a buffer that is no number', ['--receive-buffer', 'big'], 'big'],
    ['an address that is none', ['--local', '10.99.0.300'], '10.99.0.300'],
    ['a prefix that is none', ['--vtep-allow', '10.99.0.0/33'], '10.99.0.0/33'],
    ['a strategy that is none', ['--strategy', '100=push'], '100=push'],
    ['a strategy of no VNI', ['--strategy', '16777216=miss'], '16777216=miss'],
    ['two strategies of one VNI', ['--strategy', '7=miss,7=routes'], 'VNI 7'],
    // Without repeating it: there may be a password in it.
    ['a Redis URL that is none', ['--redis', 'http://127.0.0.1'], '--redis'],
    ['a configuration file that is not there', ['--config', '/nowhere/missd.yaml'], '/nowhere/missd.yaml'],
    [
      'a directory file that is not there',
      ['--directory', '/nowhere/directory.yaml'],
      '/nowhere/directory.yaml',
    ],
  ])('%s', async (_what, flags, named) => {
    const { code, stdout, stderr } = await attempt([process.execPath, MISSD, 'run', ...flags], {
      timeout: 10_000,
    });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stderr).toContain(named);
  });
});

test('a Redis that is not there yet: it says so, serves, and is ready as soon as Redis is', async () => {
  pair = await Pair.build({ noDaemons: true });
  await pair.redis.stop();
  const daemon = await (await pair.start(pair.host1)).alive();
  const readyz = await until('readiness to be refused', async () => {
    const answer = await daemon.get('/readyz');
    return answer?.status === 503 && /redis|directory/i.test(answer.body) && answer;
  });
  expect(() => JSON.parse(readyz.body) as unknown).not.toThrow();
  expect(await daemon.metric('missd_directory_up')).toBe(0);
  expect(daemon.log.filter((line) => line.includes(pair?.redis.socket ?? '')).length).toBeGreaterThanOrEqual(
    1,
  );
  await pair.redis.start();
  await daemon.ready();
  await pair.serve(pair.host2);
  await pair.publishGuests(pair.guest1, pair.guest2);
  expect((await pair.guest1.ping('20.0.0.2')).received).toBe(1);
});

test('a namespace that does not exist gets a line, and the other one is served', async () => {
  pair = await Pair.build({ noDaemons: true });
  const { host1, host2, guest1, guest2 } = pair;
  await pair.publishGuests(guest1, guest2);
  const netns = [host1.namespace.name, 'missd-nowhere'];
  const daemon = await (await Daemon.start(pair.lab, { netns, redis: pair.redis.socket })).alive();
  pair.daemons.push(daemon);
  await pair.serve(host2);
  await until('a line about it', () => daemon.log.some((line) => line.includes('missd-nowhere')));
  expect(daemon.log.filter((line) => line.includes('missd-nowhere'))).toHaveLength(1);
  expect((await daemon.get('/readyz'))?.status).toBe(503);
  expect((await daemon.get('/readyz'))?.body).toContain('missd-nowhere');
  await until('a ping', async () => (await guest1.ping('20.0.0.2', { timeout: 0.5 })).received === 1);
});

test('a device that is not VXLAN gets a line, and the one that is gets served', async () => {
  pair = await Pair.build({ noDaemons: true });
  const { host1, host2, guest1, guest2 } = pair;
  await pair.publishGuests(guest1, guest2);
  const daemon = await (await pair.start(host1, ['--device', 'br0', '--device', 'vxlan100'])).alive();
  await pair.serve(host2);
  await until('a line about it', () => daemon.log.some((line) => line.includes('br0')));
  expect(daemon.log.filter((line) => /"br0"|\bbr0\b/.test(line))).toHaveLength(1);
  await until('a ping', async () => (await guest1.ping('20.0.0.2', { timeout: 0.5 })).received === 1);
});

test('SIGTERM ends it with 0, its entries stay and forwarding goes on', async () => {
  pair = await Pair.build();
  await pair.publishGuests(pair.guest1, pair.guest2);
  expect((await pair.guest1.ping('20.0.0.2')).received).toBe(1);
  expect(await Promise.all(pair.daemons.map((daemon) => daemon.stop()))).toEqual([0, 0]);
  expect((await pair.guest1.ping('20.0.0.2', { count: 10, interval: 0.01 })).received).toBe(10);
});

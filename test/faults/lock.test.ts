/** One daemon per device, and what it leaves behind when told to. */
import { afterEach, expect, test } from 'vitest';
import { attempt } from '../../src/lab/command.ts';
import { MISSD } from '../../src/lab/daemon.ts';
import { until } from '../../src/lab/wait.ts';
import { LinuxKernel } from '../../src/kernel/linux.ts';
import { Pair, tellOnFailure } from '../lab/harness.ts';
import { becomesTrue } from './truth.ts';
import { rowsOf } from './tables.ts';

let pair: Pair | undefined;
tellOnFailure(() => pair);
afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

/** A second daemon for host 1, as an operator would start it by mistake. */
async function second(served: Pair, ...flags: string[]) {
  const { host1, redis } = served;
  const argv = [process.execPath, MISSD, 'run', '--netns', host1.namespace.name, '--redis', redis.socket];
  return attempt([...argv, '--listen', '127.0.0.1:0', ...flags], { timeout: 20_000 });
}

test('a second daemon refuses with a clear line and ends, also after the device was renamed', async () => {
  pair = await Pair.build();
  const { host1 } = pair;
  const refused = await second(pair);
  expect(refused.code).toBe(1);
  // What else is in its log may come behind.
  expect(refused.stderr.trim().split('\n')).toContain(
    `missd: nothing can be served: vxlan100@${host1.namespace.name}: another missd serves it`,
  );

  await host1.namespace.ip(
    ['link', 'set', 'vxlan100', 'down'],
    ['link', 'set', 'vxlan100', 'name', 'overlay', 'up'],
  );
  const again = await second(pair);
  expect(again.code).toBe(1);
  expect(again.stderr).toContain(`overlay@${host1.namespace.name}: another missd serves it`);
});

test('where something else is left to serve the second one serves that, and says once what it does not', async () => {
  pair = await Pair.build();
  const { host1 } = pair;
  await host1.addSegment({ vni: 200, dstport: 4790 });
  await pair.daemon.stop();
  await pair.serve(host1, ['--device', 'vxlan100']);
  const other = await pair.serve(host1);
  expect((await other.get('/status'))?.body).toContain('vxlan200');
  await host1.namespace.ip(
    ['link', 'set', 'vxlan100', 'mtu', 1400],
    ['link', 'set', 'vxlan100', 'mtu', 1450],
  );
  await until('a later link event to be heard', () => other.log.some((line) => line.includes('vxlan200')));
  expect(other.log.filter((line) => line.includes('another missd serves it'))).toHaveLength(1);
});

test('--wait: stands by unready, and takes over at once when the first dies, nothing lost', async () => {
  pair = await Pair.build();
  const { host1, guest1, guest2 } = pair;
  await pair.publishGuests(guest1, guest2);
  expect((await guest1.ping('20.0.0.2')).received).toBe(1);
  const first = pair.daemon;
  const standby = await (await pair.start(host1, ['--wait'])).alive();
  await until('it to say what it waits for', async () =>
    (await standby.get('/readyz'))?.body.includes('another missd serves it'),
  );
  expect((await standby.get('/readyz'))?.status).toBe(503);
  await first.kill();
  await standby.ready();
  expect(await standby.metric('missd_entries', { table: 'neighbour' })).toBe(1);
  await guest1.forgetNeighbours();
  expect((await guest1.ping('fd20::2')).received).toBe(1);
  await becomesTrue(pair.redis, host1.segment, { held: ['20.0.0.2', 'fd20::2'] });
});

test.each(['bound', 'listening'])(
  'somebody without rights has taken every name (%s): packets move, one daemon serves, and the log says who it is',
  async (kind) => {
    pair = await Pair.build({ noDaemons: true });
    const { lab, host1, guest1, guest2 } = pair;
    await pair.publishGuests(guest1, guest2);
    const script = new URL('squat.py', import.meta.url).pathname;
    const squatter = await lab.start(host1.namespace.inside(['python3', script, kind, '65534']));
    await squatter.until('the names to be taken', () => squatter.lines.includes('squatting'));
    await pair.serve(host1);
    await pair.serve(pair.host2);
    expect((await guest1.ping('20.0.0.2')).received).toBe(1);
    const told = pair.daemon.log.filter((line) => line.includes('which is no missd'));
    expect(told).toHaveLength(1);
    expect(told[0]).toContain('uid 65534');
    expect(told[0]).toContain(`pid ${squatter.pid}`);
    expect((await second(pair)).stderr).toContain('another missd serves it');
  },
);

test('an earlier release has the lock: it is asked for again without --wait, and not ready until then', async () => {
  pair = await Pair.build();
  const { host1 } = pair;
  await pair.daemon.stop();
  // Its name, of a datagram socket, held by a program that may be a missd: this one.
  const link = (await host1.namespace.show('link', 'show', 'vxlan100'))[0];
  const index = Number(link?.['ifindex']);
  await host1.addSegment({ vni: 200, dstport: 4790 });
  const earlier = new LinuxKernel().open(`/run/netns/${host1.namespace.name}`, { receiveBuffer: 0 });
  const open = earlier.events$.subscribe();
  expect(earlier.lock(`missd/device/${index}`, 'datagram')).toBe(true);
  expect((await second(pair, '--device', 'vxlan100')).stderr).toContain('another missd serves it');
  const daemon = await pair.serve(host1);
  await host1.namespace.ip(['link', 'delete', 'vxlan200']);
  await until('it to be of no use', async () =>
    (await daemon.get('/readyz'))?.body.includes('another missd serves it'),
  );
  expect(daemon.log.some((line) => line.includes(`held by pid ${process.pid} (`))).toBe(true);
  open.unsubscribe();
  await until('it to serve the device', async () => (await daemon.get('/readyz'))?.status === 200);
  expect((await daemon.get('/status'))?.body).toContain('vxlan100');
});

test('--flush-on-exit: SIGTERM removes its own entries and no others; without it they stay', async () => {
  pair = await Pair.build();
  const { host1, host2, guest1, guest2 } = pair;
  await pair.publishGuests(guest1, guest2);
  const foreign = ['02:99:00:00:00:01', 'dev', 'vxlan100'] as const;
  await host1.namespace.bridge(['fdb', 'add', ...foreign, 'self', 'dst', '10.99.0.2', 'permanent']);
  await host1.namespace.ip(['neigh', 'add', '20.0.0.88', 'lladdr', ...foreign, 'nud', 'permanent']);
  const before = await rowsOf(host1.segment);
  await pair.daemon.stop();
  const daemon = await pair.serve(host1, ['--flush-on-exit']);
  expect((await guest1.ping('20.0.0.2')).received).toBe(1);
  expect((await guest1.ping('fd20::2')).received).toBe(1);
  expect(await rowsOf(host1.segment)).toHaveLength(before.length + 3);
  expect(await daemon.stop()).toBe(0);
  expect(await rowsOf(host1.segment)).toEqual(before);
  // Its predecessor had set mcast_router.
  expect(daemon.log.filter((line) => line.includes('set mcast_router 1 again'))).toHaveLength(1);
  expect(await host1.namespace.exec(['bridge', '-details', 'link', 'show', 'dev', 'vxlan100'])).toContain(
    'mcast_router 1 ',
  );

  const held = await rowsOf(host2.segment);
  expect(held).toHaveLength(3);
  expect(await pair.daemons[1]?.stop()).toBe(0);
  expect(await rowsOf(host2.segment)).toEqual(held);
});

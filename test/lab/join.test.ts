import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../src/lab/wait.ts';
import { BEFORE_THE_RETRY } from './harness.ts';
import { JoinLab, PlainGuest, tellOnFailure } from './joining.ts';

/** Two hosts from nothing: an underlay, a redis-server, one `missd network create`, and one `missd run --join` each. */
let world: JoinLab;
beforeAll(async () => {
  world = await JoinLab.open(2);
  await world.create('blue', '--vni', '100', '--mode', 'bridged', '--subnet', '20.0.0.0/24');
  await Promise.all([world.run(1, ['blue']), world.run(2, ['blue'])]);
});
afterAll(() => world.close());
tellOnFailure(() => world);

const show = async (n: number, device: string) => {
  const [link] = await world.host(n).namespace.show('address', 'show', 'dev', device);
  return link ?? {};
};

test('each host has a bridge without an address and a device with the flags that missd needs', async () => {
  for (const n of [1, 2]) {
    const device = await show(n, 'vx-blue');
    const info = device['linkinfo'] as { info_data: Record<string, unknown> };
    expect(info.info_data).toMatchObject({
      ...{ id: 100, local: `10.99.0.${n}`, port: 4789 },
      ...{ learning: false, proxy: true, l2miss: true, l3miss: true },
    });
    expect(device).toMatchObject({ master: 'br-blue', mtu: 1450, ifalias: 'missd:blue', addr_info: [] });
    expect(await show(n, 'br-blue')).toMatchObject({ mtu: 1450, ifalias: 'missd:blue', addr_info: [] });
  }
});

test('guests plugged in by ip commands reach each other at once; nobody writes a record', async () => {
  const one = await PlainGuest.plug(world.host(1), 'br-blue', 1, '20.0.0.1/24');
  const two = await PlainGuest.plug(world.host(2), 'br-blue', 2, '20.0.0.2/24');
  await world.published(100, one, '10.99.0.1');
  await world.published(100, two, '10.99.0.2');
  const pinged = await one.ping(two.ip);
  expect(pinged.received).toBe(1);
  expect(pinged.rtts[0]).toBeLessThan(BEFORE_THE_RETRY);
});

test('status shows it', async () => {
  expect(await world.status(1)).toMatchObject([
    { network: 'blue', state: 'joined', device: 'vx-blue', bridge: 'br-blue', vtep: '10.99.0.1', mtu: 1450 },
  ]);
  const { stdout } = await world.missd('status', '--listen', new URL(world.daemon(1).url).host);
  expect(stdout).toMatch(/blue +vx-blue +br-blue +10\.99\.0\.1 +1450 +- +joined/);
});

/** All that `ip` tells of the device but for the bridge's timers. */
const links = async (n: number) =>
  (await world.host(n).namespace.exec(['ip', '-d', 'address', 'show', 'dev', 'vx-blue'])).replace(
    /_timer +[\d.]+/g,
    '',
  );

test('kill -9 and a restart change nothing', async () => {
  const before = await links(1);
  await world.daemon(1).kill();
  expect(await links(1)).toBe(before);
  await world.run(1, ['blue']);
  expect(await links(1)).toBe(before);
  expect(await world.daemon(1).metric('missd_join_repairs_total')).toBe(0);
});

const host1 = () => world.host(1).namespace;
const drifts: [string, (string | number)[][], (device: Record<string, unknown>) => boolean][] = [
  [
    'the device is down',
    [['link', 'set', 'vx-blue', 'down']],
    (link) => (link['flags'] as string[]).includes('UP'),
  ],
  ['the device has another MTU', [['link', 'set', 'vx-blue', 'mtu', 1400]], (link) => link['mtu'] === 1450],
  [
    'the device is out of the bridge',
    [['link', 'set', 'vx-blue', 'nomaster']],
    (link) => link['master'] === 'br-blue',
  ],
  ['the device is gone', [['link', 'delete', 'vx-blue']], (link) => link['master'] === 'br-blue'],
  ['the bridge is gone', [['link', 'delete', 'br-blue']], (link) => link['master'] === 'br-blue'],
];
test.each(drifts)('%s: put right within two seconds', async (_what, commands, right) => {
  const before = await world.daemon(1).metric('missd_join_repairs_total');
  await host1().ip(...commands);
  const started = Date.now();
  await until('the device to be right', async () => {
    const [link] = await host1()
      .show('address', 'show', 'dev', 'vx-blue')
      .catch(() => []);
    return link !== undefined && right(link);
  });
  expect(Date.now() - started).toBeLessThan(2_000);
  const repairs = () => world.daemon(1).metric('missd_join_repairs_total');
  await until('the repair to be counted', async () => (await repairs()) > before);
});

test('ports of a deleted bridge are plugged in again', async () => {
  const [port] = await host1().show('link', 'show', 'dev', 'p1');
  expect(port?.['master']).toBe('br-blue');
});

test('traffic goes on after SIGTERM, and missd leave takes everything away', async () => {
  await world.daemon(1).stop();
  expect(await show(1, 'vx-blue')).toMatchObject({ master: 'br-blue', ifalias: 'missd:blue' });
  const { stdout, code } = await world.missd(
    ...[
      'leave',
      'blue',
      '--netns',
      host1().name,
      '--state-dir',
      world.stateDir(1),
      '--redis',
      world.redis.socket,
    ],
  );
  expect(code).toBe(0);
  // The rules may not have followed the bridge that was made again a moment before.
  expect(stdout).toMatch(
    /^network blue: vx-blue, br-blue(, rules for duplicate address detection)? removed\n$/,
  );
  expect((await host1().show('link', 'show')).map((link) => link['ifname'])).not.toContain('vx-blue');
});

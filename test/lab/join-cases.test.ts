import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../src/lab/wait.ts';
import { JoinLab, PlainGuest, tellOnFailure } from './joining.ts';

/** Joining where something else is there, or not there. */
let world: JoinLab;
beforeAll(async () => {
  world = await JoinLab.open(4);
  await world.network('blue', 100, { gateway: '20.0.0.254' });
  await world.network('green', 200, { subnet: '30.0.0.0/24' });
});
afterAll(() => world.close());
tellOnFailure(() => world);

const link = async (n: number, device: string): Promise<Record<string, unknown>> =>
  (await world.host(n).namespace.show('address', 'show', 'dev', device))[0] ?? {};
const addressesOf = async (n: number, device: string): Promise<string[]> =>
  ((await link(n, device))['addr_info'] as { local: string }[]).map(({ local }) => local);
const leave = (n: number, name: string, ...more: string[]) =>
  world.missd(
    ...['leave', name, '--netns', world.host(n).namespace.name, '--state-dir', world.stateDir(n)],
    ...['--redis', world.redis.socket, ...more],
  );

describe('host 1: what changes around it', () => {
  beforeAll(async () => {
    await world.run(1, ['blue']);
  });

  test('the bridge has the gateway', async () => {
    expect(await addressesOf(1, 'br-blue')).toEqual(['20.0.0.254']);
  });

  test('the MTU follows that of the underlay', async () => {
    await world.host(1).namespace.ip(['link', 'set', 'eth0', 'mtu', 1400]);
    for (const device of ['vx-blue', 'br-blue'])
      await until(`${device} to follow`, async () => (await link(1, device))['mtu'] === 1350, {
        timeout: 3_000,
      });
    await world.host(1).namespace.ip(['link', 'set', 'eth0', 'mtu', 1500]);
    await until('the device to follow', async () => (await link(1, 'vx-blue'))['mtu'] === 1450, {
      timeout: 3_000,
    });
  });

  test('gateway and MTU follow the record, another subnet is said to need a rejoin', async () => {
    await world.network('blue', 100, { gateway: '20.0.0.253', mtu: 1300, subnet: '20.0.0.0/23' });
    await until(
      'the bridge to follow',
      async () => {
        const addresses = await addressesOf(1, 'br-blue');
        return addresses.join() === '20.0.0.253' && (await link(1, 'br-blue'))['mtu'] === 1300;
      },
      { timeout: 3_000 },
    );
    expect(world.daemon(1).log.join('\n')).toContain('network blue: another subnet');
    await world.network('blue', 100, { gateway: '20.0.0.254' });
    await until(
      'the bridge to follow',
      async () => (await addressesOf(1, 'br-blue')).join() === '20.0.0.254',
    );
  });

  test('a record that is gone takes nothing away', async () => {
    await world.redis.cli('DEL', 'missd:{100}:network');
    await world.host(1).namespace.ip(['link', 'set', 'vx-blue', 'down']);
    await until('the device to be up', async () =>
      ((await link(1, 'vx-blue'))['flags'] as string[]).includes('UP'),
    );
    await world.network('blue', 100, { gateway: '20.0.0.254' });
  });

  test('a start without the directory serves what is there, and waits for the record', async () => {
    const one = await PlainGuest.plug(world.host(1), 'br-blue', 1, '20.0.0.1/24');
    await world.daemon(1).stop();
    await world.redis.kill();
    const daemon = await (await world.start(1, ['blue'])).alive();
    await until('the device to be served', async () =>
      ((await daemon.get('/status'))?.body ?? '').includes('"vx-blue"'),
    );
    expect(await world.untilState(1, 'waiting', 'the directory does not answer')).toBeDefined();
    expect((await daemon.get('/readyz'))?.status).toBe(503);
    await world.redis.start();
    await world.network('blue', 100, { gateway: '20.0.0.254' });
    await world.network('green', 200, { subnet: '30.0.0.0/24' });
    await daemon.ready();
    expect((await one.ping('20.0.0.254')).received).toBe(1);
  });

  test('a network whose MTU is too small for IPv6 is joined all the same', async () => {
    await world.network('tiny', 300, { subnet: '40.0.0.0/24', mtu: 1000 });
    await world.daemon(1).stop();
    await world.run(1, ['blue', 'tiny']);
    expect(await link(1, 'vx-tiny')).toMatchObject({ mtu: 1000, master: 'br-tiny', addr_info: [] });
  });

  test('missd leave asks the running daemon, which makes nothing again', async () => {
    expect((await leave(1, 'blue')).stdout).toBe('network blue: vx-blue, br-blue removed\n');
    expect((await world.status(1)).map(({ network }) => network)).toEqual(['tiny']);
    await expect(link(1, 'br-blue')).rejects.toThrow();
  });
});

describe('host 2: somebody else’s', () => {
  const make = async (name: string, vni: number, ...words: (string | number)[]) => {
    await world
      .host(2)
      .namespace.ip(
        [
          'link',
          'add',
          `vx-${name}`,
          'mtu',
          1450,
          'type',
          'vxlan',
          'id',
          vni,
          'local',
          '10.99.0.2',
          'dstport',
          4789,
          ...words,
        ],
        ['link', 'add', `br-${name}`, 'mtu', 1450, 'type', 'bridge'],
        ['link', 'set', `br-${name}`, 'up'],
        ['link', 'set', `vx-${name}`, 'master', `br-${name}`, 'up'],
      );
  };
  const RIGHT = ['nolearning', 'proxy', 'l2miss', 'l3miss'];

  test('a device that is not right stays as it is, and the other network is joined', async () => {
    await make('green', 200, 'l3miss');
    await world.start(2, ['green', 'blue']);
    const before = await world.host(2).namespace.exec(['ip', '-d', 'link', 'show', 'dev', 'vx-green']);
    await until('blue to be joined', async () => (await world.status(2))[1]?.state === 'joined');
    const green = await world.untilState(2, 'failed', 'missd did not make it');
    expect(green.reason).toMatch(/^vx-green has no (proxy|l2miss)/);
    expect(await world.daemon(2).metric('missd_join_failures_total')).toBeGreaterThan(0);
    expect(await world.daemon(2).metric('missd_network_joined', { network: 'green' })).toBe(0);
    // missd serves what raises misses, and makes its port a router's.
    const timers = /_timer +[\d.]+|mcast_router \d/g;
    expect(
      (await world.host(2).namespace.exec(['ip', '-d', 'link', 'show', 'dev', 'vx-green'])).replace(
        timers,
        '',
      ),
    ).toBe(before.replace(timers, ''));
  });

  test('when it is right it is adopted, and leave lets it stand', async () => {
    await world.host(2).namespace.ip(['link', 'delete', 'vx-green'], ['link', 'delete', 'br-green']);
    await make('green', 200, ...RIGHT);
    await until('green to be joined', async () => (await world.status(2))[0]?.state === 'joined', {
      timeout: 15_000,
    });
    const { stdout } = await leave(2, 'green');
    expect(stdout).toBe('network green: nothing removed\nvx-green, br-green stays: missd did not make it\n');
    expect(await link(2, 'vx-green')).toMatchObject({ master: 'br-green' });
  });
});

describe('host 3: a namespace of its own', () => {
  test('has device and bridge, and the underlay stays where it is', async () => {
    const overlay = world.host(3).name('h3o');
    await world.run(3, ['green'], ['--overlay-netns', overlay.name, '--device', 'other']);
    const [device] = await overlay.show('link', 'show', 'dev', 'vx-green');
    expect(device).toMatchObject({
      master: 'br-green',
      ifalias: 'missd:green',
      flags: expect.arrayContaining(['UP']) as unknown,
    });
    await world.run(4, ['green']);
    const one = await PlainGuest.plug(world.host(3), 'br-green', 5, '30.0.0.5/24', { where: overlay });
    const two = await PlainGuest.plug(world.host(4), 'br-green', 6, '30.0.0.6/24');
    for (const [guest, n] of [
      [one, 3],
      [two, 4],
    ] as const)
      await world.redis.cli('SET', `missd:{200}:ip:${guest.ip}`, `${guest.mac} 10.99.0.${n}`);
    expect((await one.ping(two.ip)).received).toBe(1);
    await overlay.ip(['link', 'delete', 'vx-green']);
    await until('the device to be back', async () => (await one.ping(two.ip)).received === 1);
  });

  test('goes with the last network', async () => {
    const overlay = world.host(3).name('h3o');
    await overlay.ip(['link', 'delete', 'p5']);
    const { stdout } = await leave(3, 'green', '--overlay-netns', overlay.name);
    expect(stdout).toBe(`network green: vx-green, br-green, namespace ${overlay.path} removed\n`);
    // Nothing is missing: the namespace was that of the network.
    await until('the namespace to be gone', () => world.daemon(3).log.join().includes('is no longer there'));
    expect((await world.daemon(3).get('/readyz'))?.status).toBe(200);
  });
});

describe('host 4: its address', () => {
  const start = () => world.start(4, ['green'], ['--state-dir', `${world.stateDir(4)}x`]);

  test('several that could be meant: one line, and exit code 2', async () => {
    await world.daemon(4).stop();
    await world.host(4).namespace.ip(['address', 'add', '10.98.0.4/24', 'dev', 'eth0']);
    const { program } = await start();
    expect(await program.ended).toBe(2);
    expect(program.lines).toEqual([
      expect.stringMatching(
        /no underlay address: there is no default route, and 10\.99\.0\.4 \(eth0\), 10\.98\.0\.4 \(eth0\) could be meant; name one by --local$/,
      ),
    ]);
  });

  test('with --wait an address is waited for', async () => {
    const { namespace } = world.host(4);
    await namespace.ip(['address', 'flush', 'dev', 'eth0', 'scope', 'global']);
    const daemon = await (await world.start(4, ['green'], ['--wait'])).alive();
    await world.untilState(4, 'failed', 'no interface but loopback has a global address');
    await namespace.ip(['address', 'add', '10.99.0.4/24', 'dev', 'eth0']);
    const started = Date.now();
    await daemon.ready();
    expect(Date.now() - started).toBeLessThan(3_000);
    expect((await world.status(4))[0]?.vtep).toBe('10.99.0.4');
    await daemon.stop();
    await namespace.ip(['address', 'add', '10.98.0.4/24', 'dev', 'eth0']);
  });

  test('the default route decides, and --local above it; the device follows', async () => {
    await world.host(4).namespace.ip(['route', 'add', 'default', 'via', '10.98.0.254']);
    await (await start()).ready();
    expect((await world.status(4))[0]?.vtep).toBe('10.98.0.4');
    await world.daemon(4).stop();
    await (await world.start(4, ['green'], ['--local', '10.99.0.4'])).ready();
    expect((await world.status(4))[0]?.vtep).toBe('10.99.0.4');
    const info = (await link(4, 'vx-green'))['linkinfo'] as { info_data: { local: string } };
    expect(info.info_data.local).toBe('10.99.0.4');
  });

  test('an address that goes is followed to the next', async () => {
    await world.host(4).namespace.ip(['address', 'delete', '10.99.0.4/24', 'dev', 'eth0']);
    await until('the device to follow', async () => (await world.status(4))[0]?.vtep === '10.98.0.4', {
      timeout: 3_000,
    });
  });

  test('an IPv6 underlay: the device is made again, with room for the longer header', async () => {
    await world.daemon(4).stop();
    await world.host(4).namespace.ip(['address', 'add', 'fd99::4/64', 'dev', 'eth0', 'nodad']);
    await (await world.start(4, ['green'], ['--local', 'fd99::4'])).ready();
    expect((await world.status(4))[0]).toMatchObject({ vtep: 'fd99::4', mtu: 1430, state: 'joined' });
    const device = await link(4, 'vx-green');
    const info = device['linkinfo'] as { info_data: Record<string, unknown> };
    expect(info.info_data).toMatchObject({ local6: 'fd99::4', proxy: true });
    expect(device).toMatchObject({ mtu: 1430, master: 'br-green', ifalias: 'missd:green' });
  });

  test('options that make no sense are refused in one line', async () => {
    const refused = async (...words: string[]) => {
      const { code, stderr } = await world.missd('run', '--redis', world.redis.socket, ...words);
      return `${code} ${stderr.trim()}`;
    };
    expect(await refused('--join', 'Blue')).toMatch(/^2 .*expected the name of a network/);
    expect(await refused('--overlay-netns', 'x')).toMatch(/^2 .*--overlay-netns needs --join/);
    expect(await refused('--join', 'a', '--netns', 'x', '--netns', 'y')).toMatch(
      /^2 .*--join takes one --netns/,
    );
    expect(await refused('--join', 'a,b', '--subnet-file', '/tmp/x')).toMatch(
      /^2 .*--subnet-file takes one --join/,
    );
  });
});

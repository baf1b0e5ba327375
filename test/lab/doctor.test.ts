/** Hosts in which one thing is wrong: doctor names it, and the command that it gives mends it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../src/lab/command.ts';
import type { Guest } from '../../src/lab/guest.ts';
import type { Host } from '../../src/lab/host.ts';
import type { Words } from '../../src/lab/namespace.ts';
import { examine, isOfTheMachine } from './doctor.ts';
import { Pair, close, tellOnFailure } from './harness.ts';

let pair: Pair;
/** Without a daemon, which would mend some of it itself. */
let host: Host;
let guest: Guest;
beforeAll(async () => {
  pair = await Pair.build({ noDaemons: true });
  host = await pair.lab.addHost();
  guest = await host.addGuest({ n: 3, dad: false });
  await pair.redis.cli('CONFIG', 'SET', 'appendonly', 'yes');
  await pair.publishGuests(pair.guest1, pair.guest2, guest);
  await Promise.all([pair.serve(pair.host1), pair.serve(pair.host2)]);
});
afterAll(() => close(pair));
tellOnFailure(() => pair);

test('a healthy host with a daemon: nothing is wrong, and every group was looked at', async () => {
  // What the bridge has heard of, and what has been asked for.
  expect((await pair.guest1.ping('20.0.0.2')).received).toBe(1);
  const { code, named, find, findings } = await examine(pair, pair.host1);
  expect(named('note').filter((name) => !isOfTheMachine(name))).toEqual([]);
  expect(code).toBe(0);
  expect([...new Set(findings.map(({ group }) => group))]).toEqual([
    ...['kernel', 'privileges', 'limits', 'devices', 'ports', 'underlay', 'mtu', 'offload'],
    ...['directory', 'records', 'owners', 'clock', 'daemon'],
  ]);
  expect(find('kernel/tried')?.what).toContain('14 features');
});

test('a host without a daemon is no fault', async () => {
  const { code, named } = await examine(pair, host);
  expect(named('note').filter((name) => !isOfTheMachine(name))).toEqual(['daemon/runs']);
  expect(code).toBe(0);
});

/** `ip -n` mounts /sys anew, and may not in a chroot. */
const anywhere = (command: string): string =>
  command.replace(
    /^(ip|bridge) -n (\S+)/,
    (_, tool: string, name: string) => `nsenter --net=/run/netns/${name} ${tool}`,
  );

const VXLAN: Words = ['link', 'add', 'vxlan100', 'type', 'vxlan', 'id', 100, 'dstport', 4789];
const FLAGS: Words = ['nolearning', 'proxy', 'l2miss', 'l3miss'];

/** The device with other words. */
async function remake(...words: Words): Promise<void> {
  await host.namespace.ip(
    ['link', 'del', 'vxlan100'],
    [...VXLAN, 'local', host.vtep, ...words],
    ['link', 'set', 'vxlan100', 'mtu', 1450, 'master', 'br0', 'up'],
  );
}

describe('a fault of the host: named, and mended by the commands that are given', () => {
  test.each<[what: string, named: string, says: RegExp, spoil: () => Promise<unknown>]>([
    ['a device without l3miss', 'devices/l3miss', /no l3miss/, () => remake('nolearning', 'proxy', 'l2miss')],
    ['one without l2miss', 'devices/l2miss', /no l2miss/, () => remake('nolearning', 'proxy', 'l3miss')],
    ['one without proxy', 'devices/proxy', /without proxy/, () => remake('nolearning', 'l2miss', 'l3miss')],
    [
      'a default remote',
      'devices/default-remote',
      /default remote, 10\.99\.0\.1/,
      () => remake(...FLAGS, 'remote', '10.99.0.1'),
    ],
    [
      'an entry for all MACs',
      'devices/default-remote',
      /default remote, 10\.99\.0\.9/,
      () =>
        host.namespace.bridge(['fdb', 'append', '00:00:00:00:00:00', 'dev', 'vxlan100', 'dst', '10.99.0.9']),
    ],
    ['learning', 'devices/learning', /learns/, () => remake('proxy', 'l2miss', 'l3miss')],
    ['a device that is down', 'devices/down', /vxlan100\S* is down/, () => set('vxlan100', 'down')],
    [
      'a second VXLAN device in the bridge',
      'devices/servable',
      /has another VXLAN device, vxlan100/,
      () =>
        host.namespace.ip(
          ['link', 'add', 'second', 'type', 'vxlan', 'id', 302, 'dstport', 4789, ...FLAGS],
          ['link', 'set', 'second', 'master', 'br0', 'up'],
        ),
    ],
    ['a bridge that is down', 'ports/bridge-down', /br0 is down/, () => set('br0', 'down')],
    ['no broadcasts', 'ports/bcast_flood', /bcast_flood off/, () => port('bcast_flood', 'off')],
    ['no multicast', 'ports/mcast_flood', /mcast_flood off/, () => port('mcast_flood', 'off')],
    ['neigh_suppress', 'ports/neigh_suppress', /neigh_suppress/, () => port('neigh_suppress', 'on')],
    [
      'isolated ports',
      'ports/isolated',
      /isolated, and so is g3/,
      () =>
        host.namespace.bridge(
          ['link', 'set', 'dev', 'vxlan100', 'isolated', 'on'],
          ['link', 'set', 'dev', 'g3', 'isolated', 'on'],
        ),
    ],
    ['an MTU too large', 'mtu/underlay', /MTU 1500, and eth0 1500/, () => set('vxlan100', 'mtu', 1500)],
    ['a guest port too large', 'mtu/guests', /port g3 .* MTU 1500/, () => set('g3', 'mtu', 1500)],
    ['an underlay that is down', 'underlay/down', /eth0, .* is down/, () => set('eth0', 'down')],
  ])('%s', async (_, name, says, spoil) => {
    await spoil();
    const examined = await examine(pair, host);
    const found = examined.find(name);
    expect(examined.named('warning')).toContain(name);
    expect(found?.what).toMatch(says);
    expect(examined.code).toBe(found?.level === 'broken' ? 1 : 0);
    expect(found?.fix).not.toHaveLength(0);
    for (const command of found?.fix ?? []) await run(['sh', '-c', anywhere(command)]);
    expect((await examine(pair, host)).named('warning').filter((one) => !isOfTheMachine(one))).toEqual([]);
  });

  const set = (device: string, ...words: Words): Promise<void> =>
    host.namespace.ip(['link', 'set', device, ...words]);
  const port = (...words: Words): Promise<void> =>
    host.namespace.bridge(['link', 'set', 'dev', 'vxlan100', ...words]);
});

test('an MLD querier on the bridge is worth a note where no daemon has taken care of it yet', async () => {
  await host.namespace.ip(['link', 'set', 'br0', 'type', 'bridge', 'mcast_querier', 1]);
  expect((await examine(pair, host)).find('ports/querier')?.level).toBe('note');
  await host.namespace.ip(['link', 'set', 'br0', 'type', 'bridge', 'mcast_querier', 0]);
});

describe('two owners', () => {
  test('of one IP: a guest here has taken the address of one elsewhere', async () => {
    await host.namespace.ip(['address', 'add', '20.0.0.254/24', 'dev', 'br0']);
    const thief = await host.addGuest({ n: 4, dad: false, ip4: '20.0.0.2/24', mac: '02:42:14:00:00:99' });
    // Whoever asks hears of the thief alone, and so does the host.
    await host.namespace.exec(['ping', '-c', '1', '-W', '5', '20.0.0.2']);
    const { code, find, named } = await examine(pair, host);
    expect(code).toBe(1);
    expect(find('owners/ip')?.what).toMatch(
      /^20\.0\.0\.2 is 02:42:14:00:00:99 on port g4 .* has it as 02:42:14:00:00:02 behind 10\.99\.0\.2/,
    );
    expect(named('note')).toContain('owners/unrecorded');
    await host.namespace.ip(
      ['link', 'del', thief.port],
      ['address', 'del', '20.0.0.254/24', 'dev', 'br0'],
      ['neigh', 'flush', 'dev', 'br0'],
    );
  });

  test('of one MAC: a guest here, and a record that has it elsewhere', async () => {
    const key = `missd:{100}:mac:${guest.mac}`;
    // The bridge hears of it by whatever it asks.
    await guest.ping('20.0.0.1', { timeout: 0.1 });
    await pair.publish([key, '10.99.0.2']);
    const { code, find, named } = await examine(pair, host);
    expect(code).toBe(1);
    expect(find('owners/mac')?.what).toContain(`${guest.mac} is heard on port g3`);
    // Its two records contradict each other, which any host can see.
    expect(named('warning')).toContain('owners/mac-ip');
    await pair.publish([key, host.vtep]);
  });

  test('an address of this host, and a record that has it elsewhere', async () => {
    await host.namespace.ip(['address', 'add', '20.0.0.1/24', 'dev', 'br0']);
    const { code, find } = await examine(pair, host);
    expect(code).toBe(1);
    expect(find('owners/assigned')?.what).toMatch(/20\.0\.0\.1 is an address of br0 here/);
    await host.namespace.ip(['address', 'del', '20.0.0.1/24', 'dev', 'br0']);
  });
});

test('a namespace and a device that are not there', async () => {
  const { code, find, named } = await examine(pair, host, {
    flags: ['--netns', 'missd-nowhere', '--device', 'vxlan100', '--device', 'vxlan9'],
  });
  expect(code).toBe(1);
  expect(find('devices/namespace')?.what).toContain('missd-nowhere');
  expect(find('devices/named')?.what).toContain('vxlan9');
  // The others are looked at all the same.
  expect(named('ok')).toContain('devices/flags');
});

test('an address of Redis that cannot be meant is no finding', async () => {
  await expect(examine(pair, host, { directory: ['--redis', 'http://127.0.0.1'] })).rejects.toThrow(
    /said nothing: missd: --redis/,
  );
});

test('a host of the directory that no route leads to', async () => {
  await pair.publish(['missd:{100}:ip:20.0.0.77', '02:42:14:00:00:77 192.0.2.77']);
  const { code, find } = await examine(pair, host);
  expect(code).toBe(1);
  expect(find('underlay/route')?.what).toContain('192.0.2.77');
  await pair.redis.cli('DEL', 'missd:{100}:ip:20.0.0.77');
});

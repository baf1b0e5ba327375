import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../src/lab/wait.ts';
import { BEFORE_THE_RETRY } from './harness.ts';
import { JoinLab, PlainGuest, tellOnFailure } from './joining.ts';

/** A routed network from a directory file that reserves the prefix of each host; host 3 is outside of it. */
let world: JoinLab;
let file: string;
const flags = (n: number): string[] => [
  ...['--host-id', `h${n}`, '--subnet-file', join(world.lab.directory, `subnet${n}.env`)],
];
const source = () => ({ directory: file });

beforeAll(async () => {
  world = await JoinLab.open(3);
  file = join(world.lab.directory, 'directory.yaml');
  const leases = [1, 2].map(
    (n) => `      - { cidr: 10.20.${n}.0/24, mac: "02:00:00:00:00:0${n}", vtep: 10.99.0.${n} }`,
  );
  const reserved = [1, 2].map((n) => `      - { cidr: 10.20.${n}.0/24, for: h${n} }`);
  const text = (subnets: string[]): string => `vnis:
  7:
    subnets:
${subnets.join('\n')}
networks:
  flat:
    vni: 7
    mode: routed
    subnet: 10.20.0.0/16
    publish: none
    reserved:
${reserved.join('\n')}
`;
  writeFileSync(file, text(leases));
  await Promise.all([
    world.run(1, ['flat'], [...flags(1), '--masquerade'], source()),
    world.run(2, ['flat'], flags(2), source()),
  ]);
  // Leases name the MAC of the remote device.
  const macs = await Promise.all(
    [1, 2].map(
      async (n) => (await world.host(n).namespace.show('link', 'show', 'dev', 'vx-flat'))[0]?.['address'],
    ),
  );
  writeFileSync(file, text(leases.map((line, index) => line.replace(/"[^"]*"/, `"${String(macs[index])}"`))));
});
afterAll(() => world.close());
tellOnFailure(() => world);

const show = async (n: number, device: string) => {
  const [link] = await world.host(n).namespace.show('address', 'show', 'dev', device);
  const addresses = (link?.['addr_info'] ?? []) as { local: string; prefixlen: number }[];
  return { ...link, addresses: addresses.map(({ local, prefixlen }) => `${local}/${prefixlen}`) };
};

test('each host has the bridge of its prefix, and a route to the network through the device', async () => {
  for (const n of [1, 2]) {
    const device = await show(n, 'vx-flat');
    const info = device as unknown as { linkinfo: { info_data: Record<string, unknown> } };
    expect(info.linkinfo.info_data).toMatchObject({ l2miss: true, l3miss: true });
    expect(info.linkinfo.info_data).not.toHaveProperty('proxy');
    expect(device.addresses).toEqual([`10.20.${n}.0/32`]);
    expect((await show(n, 'br-flat')).addresses).toEqual([`10.20.${n}.1/24`]);
    const routes = await world.host(n).namespace.exec(['ip', 'route', 'show', 'dev', 'vx-flat']);
    expect(routes).toContain('10.20.0.0/16');
  }
  expect((await world.status(1))[0]).toMatchObject({
    network: 'flat',
    state: 'joined',
    prefix: '10.20.1.0/24',
  });
});

test('guests of different hosts reach each other, at once', async () => {
  const one = await PlainGuest.plug(world.host(1), 'br-flat', 1, '10.20.1.2/24', { via: '10.20.1.1' });
  const two = await PlainGuest.plug(world.host(2), 'br-flat', 2, '10.20.2.2/24', { via: '10.20.2.1' });
  let first = await one.ping(two.ip);
  // The file with the MACs may be read a moment later.
  await until('the leases to be read', async () => (first = await one.ping(two.ip)).received === 1);
  expect(first.rtts[0]).toBeLessThan(BEFORE_THE_RETRY);
});

test('the file has Flannel’s variables', () => {
  const text = readFileSync(join(world.lab.directory, 'subnet1.env'), 'utf8');
  expect(text).toBe(
    'FLANNEL_NETWORK=10.20.0.0/16\nFLANNEL_SUBNET=10.20.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n',
  );
  expect(readFileSync(join(world.lab.directory, 'subnet2.env'), 'utf8')).toContain('IPMASQ=false');
});

test('with --masquerade a guest reaches the underlay by its host’s address; without, it does not', async () => {
  // Host 3 knows no way to guests.
  const one = await PlainGuest.plug(world.host(1), 'br-flat', 3, '10.20.1.3/24', { via: '10.20.1.1' });
  const two = await PlainGuest.plug(world.host(2), 'br-flat', 4, '10.20.2.3/24', { via: '10.20.2.1' });
  expect((await one.ping('10.99.0.3')).received).toBe(1);
  expect((await two.ping('10.99.0.3')).received).toBe(0);
});

const rules = () => world.host(1).namespace.exec(['nft', 'list', 'ruleset']);
const APP_SOLICIT = '/proc/sys/net/ipv4/neigh/vx-flat/app_solicit';
const FORWARDING = '/proc/sys/net/ipv4/conf/br-flat/forwarding';
const drifts: [string, string[], () => Promise<boolean>][] = [
  [
    'the route',
    ['ip', 'route', 'delete', '10.20.0.0/16', 'dev', 'vx-flat'],
    async () =>
      (await world.host(1).namespace.exec(['ip', 'route', 'show', 'dev', 'vx-flat'])).includes(
        '10.20.0.0/16',
      ),
  ],
  [
    'the bridge’s address',
    ['ip', 'address', 'delete', '10.20.1.1/24', 'dev', 'br-flat'],
    async () => (await show(1, 'br-flat')).addresses.includes('10.20.1.1/24'),
  ],
  [
    'the device’s address',
    ['ip', 'address', 'delete', '10.20.1.0/32', 'dev', 'vx-flat'],
    async () => (await show(1, 'vx-flat')).addresses.includes('10.20.1.0/32'),
  ],
  [
    'app_solicit of the device',
    ['sh', '-c', `echo 0 > ${APP_SOLICIT}`],
    async () => (await world.host(1).namespace.exec(['cat', APP_SOLICIT])).trim() === '3',
  ],
  [
    'forwarding of the bridge',
    ['sh', '-c', `echo 0 > ${FORWARDING}`],
    async () => (await world.host(1).namespace.exec(['cat', FORWARDING])).trim() === '1',
  ],
  [
    'the rules that masquerade',
    ['nft', 'flush', 'ruleset'],
    async () => (await rules()).includes('masquerade'),
  ],
];
test.each(drifts)('%s is put back', async (_what, command, isBack) => {
  expect(await isBack()).toBe(true);
  await world.host(1).namespace.exec(command);
  await until('it to be back', isBack, { timeout: 15_000 });
});

test('leave takes the rules as well', async () => {
  const { stdout } = await world.missd(
    ...['leave', 'flat', '--netns', world.host(1).namespace.name, '--state-dir', world.stateDir(1)],
    ...['--directory', file, '--host-id', 'h1'],
  );
  expect(stdout).toBe('network flat: vx-flat, br-flat, rules that masquerade removed\n');
  expect(await rules()).not.toContain('missd_masquerade');
});

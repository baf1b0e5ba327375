/** A guest that comes up with an address that its host holds as another's: it must not find the address taken. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Namespace, ip } from '../../src/lab/namespace.ts';
import { until } from '../../src/lab/wait.ts';
import { JoinLab, PlainGuest, tellOnFailure } from './joining.ts';

const MAC = '02:99:00:00:00:77';

let lab: JoinLab;
let here: PlainGuest;
let there: PlainGuest;
/** Comes up on host 1 with the addresses of `there`. */
let newcomer: Namespace;

beforeAll(async () => {
  lab = await JoinLab.open(2);
  await lab.network('blue', 100, { publish: 'learned', subnet6: '2001:db8::/64' });
  for (const n of [1, 2]) await lab.run(n, ['blue']);
  for (const n of [1, 2]) await lab.untilState(n, 'joined');
  here = await PlainGuest.plug(lab.host(1), 'br-blue', 1, '20.0.0.1/24');
  there = await PlainGuest.plug(lab.host(2), 'br-blue', 2, '20.0.0.2/24');
  const host = lab.host(1);
  newcomer = host.name('new');
  await ip(host.namespace.record, ['netns', 'add', newcomer.name]);
  const peer = ['peer', 'name', 'eth0', 'netns', newcomer.name, 'address', MAC, 'mtu', 1450];
  await host.namespace.ip(
    ['link', 'add', 'new', 'mtu', 1450, 'type', 'veth', ...peer],
    ['link', 'set', 'new', 'master', 'br-blue', 'up'],
  );
  await newcomer.ip(['link', 'set', 'eth0', 'up']);
});
afterAll(() => lab.close());
tellOnFailure(() => lab);

/** The address is held on host 1, because a guest there uses it. */
async function held(address: string): Promise<void> {
  await until(`${address} to be reached`, async () => (await here.ping(address)).received > 0);
  const rows = await lab.host(1).namespace.neighbours('vx-blue');
  expect(rows.map((row) => row.ip)).toContain(address);
}

test('the rules are there, and the guest finds an IPv4 address free', async () => {
  const rules = (): Promise<string> => lab.host(1).namespace.exec(['nft', 'list', 'ruleset']);
  await until('the rules', async () => (await rules()).includes('missd_dad'));
  await held('20.0.0.2');
  const script = new URL('arp-probe.py', import.meta.url).pathname;
  expect(await newcomer.exec(['python3', script, 'eth0', MAC, '20.0.0.2'])).toBe('free\n');
});

test('the guest comes up with an IPv6 address, and it is not dadfailed', async () => {
  const address = '2001:db8::2';
  for (const [guest, own] of [
    [here, '2001:db8::1'],
    [there, address],
  ] as const)
    await guest.namespace.ip(['address', 'add', `${own}/64`, 'dev', 'eth0']);
  await held(address);
  await newcomer.ip(['address', 'add', `${address}/64`, 'dev', 'eth0']);
  let flags = '';
  await until('the detection to end', async () => {
    const shown = await newcomer.exec(['ip', '-6', 'address', 'show', 'dev', 'eth0']);
    flags = shown.split('\n').find((line) => line.includes(`${address}/`)) ?? '';
    return flags !== '' && (!flags.includes('tentative') || flags.includes('dadfailed'));
  });
  expect(flags).not.toContain('dadfailed');
});

test('they stay when the daemon ends, and go when the host leaves', async () => {
  const { namespace } = lab.host(1);
  await lab.daemon(1).stop();
  expect(await namespace.exec(['nft', 'list', 'ruleset'])).toContain('missd_dad');
  const words = ['leave', 'blue', '--redis', lab.redis.socket, '--netns', namespace.name];
  const { stdout } = await lab.missd(...words, '--state-dir', lab.stateDir(1));
  expect(stdout).toContain('duplicate address detection');
  expect(await namespace.exec(['nft', 'list', 'ruleset'])).toBe('');
});

/** A frame with a MAC of a guest that is elsewhere: the bridge must not go on sending that guest's packets where it came from. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Guest } from '../../src/lab/guest.ts';
import { until } from '../../src/lab/wait.ts';
import { Pair, close, counting, tellOnFailure } from '../lab/harness.ts';

let pair: Pair;
let third: Guest;
beforeAll(async () => {
  pair = await Pair.build();
  third = await pair.host1.addGuest({ n: 3, dad: false });
  await pair.publishGuests(pair.guest1, pair.guest2, third);
});
afterAll(() => close(pair));
tellOnFailure(() => pair);

/** One frame to everybody, or to one, from any MAC. */
async function sends(guest: Guest, source: string, destination = 'ff:ff:ff:ff:ff:ff'): Promise<void> {
  const bytes = [destination, source].map((mac) => mac.replaceAll(':', '')).join('');
  const script = `
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(('eth0', 0))
s.send(bytes.fromhex('${bytes}88b5') + bytes(50))
`;
  await guest.namespace.exec(['python3', '-c', script]);
}

async function bridgePort(mac: string): Promise<string | undefined> {
  const stdout = await pair.host1.namespace.exec(['bridge', 'fdb', 'show', 'br', 'br0']);
  const line = stdout.split('\n').find((one) => one.startsWith(mac) && one.includes('master'));
  return /dev (\S+)/.exec(line ?? '')?.[1];
}

test('on a port here: it is unlearned at once, and packets go to the other host again', async () => {
  const { guest1, guest2, daemon } = pair;
  expect((await guest1.ping('20.0.0.2', { count: 3 })).received).toBeGreaterThan(0);
  const { since } = await counting(daemon, async () => {
    await sends(third, guest2.mac);
    await until('the bridge to forget it', async () => (await bridgePort(guest2.mac)) !== third.port);
  });
  expect(since('missd_reconcile_changes_total', { action: 'removed_bridge_entry' })).toBeGreaterThan(0);
  expect((await guest1.ping('20.0.0.2', { count: 3 })).received).toBe(3);
});

test('out of the tunnel, of a guest here: the first frame to it has the bridge unlearn that', async () => {
  const { guest1, guest2 } = pair;
  // Guest 3 is silent, but it is there: it asks for nothing and says nothing by itself.
  await guest1.namespace.ip([
    'neigh',
    'replace',
    '20.0.0.3',
    'lladdr',
    third.mac,
    'dev',
    'eth0',
    'nud',
    'permanent',
  ]);
  await third.namespace.ip([
    'neigh',
    'replace',
    '20.0.0.1',
    'lladdr',
    guest1.mac,
    'dev',
    'eth0',
    'nud',
    'permanent',
  ]);
  await sends(guest2, third.mac, guest1.mac);
  await until('the bridge to believe it', async () => (await bridgePort(third.mac)) === 'vxlan100');
  await until('guest 3 to answer', async () => (await guest1.ping('20.0.0.3')).received === 1);
  expect(await bridgePort(third.mac)).toBe(third.port);
});

import { afterAll, beforeAll, expect, test } from 'vitest';
import { macOf } from '../../src/lab/address.ts';
import { ipKey } from '../../src/lab/records.ts';
import { until } from '../../src/lab/wait.ts';
import { Pair, ask, close, counting, tellOnFailure } from '../lab/harness.ts';
import { becomesTrue } from './truth.ts';
import { rowsOf } from './tables.ts';

/** One frame, to a MAC, from a MAC that is somebody else's. */
const FORGE = `
import socket, sys
mac = lambda text: bytes.fromhex(text.replace(':', ''))
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind(('eth0', 0))
out.send(mac(sys.argv[1]) + mac(sys.argv[2]) + b'\\x88\\xb5' + bytes(46))
`;
const IP = '20.0.0.50';
const MAC = macOf(IP);
const TRUE = `fdb ${MAC} 10.99.0.5 extern_learn`;
const FORGED = `fdb ${MAC} 10.99.0.2 extern_learn`;

let pair: Pair;
beforeAll(async () => {
  pair = await Pair.build({ segments: [{ learning: true }], flags: ['--audit', '1'] });
  await pair.publishGuests(pair.guest1, pair.guest2);
});
afterAll(() => close(pair));
tellOnFailure(() => pair);

const forge = (): Promise<string> =>
  pair.guest2.namespace.exec(['python3', '-c', FORGE, pair.guest1.mac, MAC]);

test('a forged source MAC on a device that learns: ours is repaired within one audit', async () => {
  const { host1, guest1, daemon, redis } = pair;
  await pair.publish([ipKey(100, IP), `${MAC} 10.99.0.5`]);
  expect((await guest1.ping('20.0.0.2')).received).toBe(1);
  await ask(daemon, guest1, IP);
  await becomesTrue(redis, host1.segment, { held: ['20.0.0.2', IP] });
  await forge();
  // Else the frame taught nobody anything, and this proves nothing.
  await until('the kernel to believe it', async () => (await rowsOf(host1.segment)).includes(FORGED), {
    every: 5,
  });
  await becomesTrue(redis, host1.segment, { held: ['20.0.0.2', IP], within: 3_000 });
  expect(await daemon.metric('missd_reconcile_changes_total', { action: 'repaired_fdb' })).toBe(1);
});

test('and what it taught before there was an entry of ours is replaced', async () => {
  const { host1, guest1, daemon, redis } = pair;
  await redis.cli('DEL', ipKey(100, IP));
  await becomesTrue(redis, host1.segment, { held: ['20.0.0.2'] });
  await forge();
  await until('the kernel to learn it', async () =>
    (await rowsOf(host1.segment)).some((row) => row.includes(MAC)),
  );
  await pair.publish([ipKey(100, IP), `${MAC} 10.99.0.5`]);
  await ask(daemon, guest1, IP);
  await becomesTrue(redis, host1.segment, { held: ['20.0.0.2', IP] });
  expect(await rowsOf(host1.segment)).toContain(TRUE);
});

/** An L3 miss as the kernel would say it, multicast to RTNLGRP_NEIGH (group 3) by a process: RTM_GETNEIGH for an address. */
const FORGE_MISS = `
import socket, struct, sys
ifindex = socket.if_nametoindex('vxlan100')
ndmsg = struct.pack('=BBHiHBB', socket.AF_INET, 0, 0, ifindex, 4, 0, 1)
dst = struct.pack('=HH', 8, 1) + socket.inet_aton(sys.argv[1])
body = ndmsg + dst
out = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
for _ in range(10):
    out.sendto(struct.pack('=IHHII', 16 + len(body), 30, 0, 0, 0) + body, (0, 1 << 2))
`;

test('misses that a process multicasts are no misses: they are dropped and counted', async () => {
  const { host1, daemon } = pair;
  await pair.publish([ipKey(100, '20.0.0.60'), `${macOf('20.0.0.60')} 10.99.0.5`]);
  const { since } = await counting(daemon, async () => {
    await host1.namespace.exec(['python3', '-c', FORGE_MISS, '20.0.0.60']);
    // A true miss comes behind them on the same socket.
    await ask(daemon, pair.guest1, '20.0.0.61');
  });
  expect(since('missd_netlink_malformed_total')).toBe(10);
  expect((await host1.segment.neighbours()).map(({ ip }) => ip)).not.toContain('20.0.0.60');
});

/** A host that routes through its VXLAN device: use of a neighbour shows only in what state the kernel puts it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../src/lab/wait.ts';
import { Pair, close, tellOnFailure } from '../lab/harness.ts';
import { LEASES, VNI, route } from './routed.ts';
import { SCALE } from './scale.ts';
import { Traffic } from './traffic.ts';

const BUSY = '10.20.64.1';
const MANY = Math.max(1_000, 10_000 * SCALE);
/** Seconds; longer than it takes to contact them all, or the first would go before the last has come. */
const IDLE = (6 * MANY) / 1_000;
/** Asked for at once; what has not been answered counts against gc_thresh3, 1024 for the whole machine. */
const AT_ONCE = 100;

let pair: Pair;
let device: Awaited<ReturnType<typeof route>>;
beforeAll(async () => {
  pair = await Pair.build({ noDaemons: true });
  const { host1, host2 } = pair;
  device = await route(host1);
  await route(host2);
  await host2.namespace.ip(['route', 'add', 'local', '10.20.64.0/18', 'dev', 'lo']);
  const leases = LEASES(host1, host2);
  await pair.publish(...leases.map(([cidr, value]) => [`missd:{${VNI}}:subnet:${cidr}`, value] as const));
  await pair.redis.cli('SADD', `missd:{${VNI}}:subnets`, ...leases.map(([cidr]) => cidr));
  await pair.serve(host2);
});
afterAll(() => close(pair));
tellOnFailure(() => pair);

/** One datagram each; nobody listens, and nobody minds. */
const CONTACT = `
import socket, sys
wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in range(int(sys.argv[1]), int(sys.argv[2])):
    wire.sendto(b"x", ("10.20.%d.%d" % (64 + n // 256, n % 256), 9))
`;

async function contact(): Promise<void> {
  for (let n = 2; n < MANY + 2; n += AT_ONCE) {
    const to = Math.min(n + AT_ONCE, MANY + 2);
    await pair.host1.namespace.exec(['python3', '-c', CONTACT, String(n), String(to)]);
    await until(
      'them to be answered',
      async () => (await pair.daemon.metric('missd_entries', { table: 'neighbour' })) >= to - 1,
    );
  }
}

test('many addresses of a lease contacted once, one stays busy: it stays, the others go when idle', async () => {
  await pair.serve(pair.host1, ['--idle', String(IDLE), '--audit', '1', '--flush-on-exit']);
  const traffic = await Traffic.start(pair.lab, pair.host1.namespace, BUSY);
  await contact();
  expect(await device.fdb()).toHaveLength(1);
  await until('the unused ones to go', async () => (await device.neighbours()).length === 1, {
    timeout: (4 * IDLE + 16) * 1_000,
  });
  // It has been on probation with the others, and more than once by then.
  await traffic.for(2 * IDLE * 1_000);
  expect((await traffic.stop()).lost).toBe(0);
  const state = (): Promise<string | undefined> =>
    device.neighbours().then(([row]) => `${row?.ip} ${row?.lladdr}`);
  expect(await state()).toBe(`${BUSY} 02:f0:00:00:00:02`);
  await pair.daemon.stop();
}, 900_000);

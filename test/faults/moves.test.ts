/** Endpoints that move between hosts while others talk to them. */
import type { SegmentHost } from '../../src/lab/guest-plan.ts';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { macOf } from '../../src/lab/address.ts';
import type { Guest } from '../../src/lab/guest.ts';
import type { Host } from '../../src/lab/host.ts';
import type { Program } from '../../src/lab/program.ts';
import { type Entry, ipKey, macKey } from '../../src/lab/records.ts';
import { until } from '../../src/lab/wait.ts';
import { Pair, tellOnFailure } from '../lab/harness.ts';
import { limit, scaledCount } from './scale.ts';
import { expectTables } from './tables.ts';
import { Traffic } from './traffic.ts';
import { becomesTrue } from './truth.ts';

const MOVES = scaledCount(1_000, 100);
const IP = '20.0.0.3';
const MAC = macOf(IP);

let pair: Pair;
tellOnFailure(() => pair);
beforeEach(async () => {
  pair = await Pair.build();
  await pair.publishGuests(pair.guest1, pair.guest2);
});
afterEach(() => pair.close());

const records = (host: SegmentHost, mac: boolean): Entry[] => [
  ...(mac ? [[macKey(100, MAC), host.vtep] as const] : []),
  [ipKey(100, IP), `${MAC} ${host.vtep}`],
];

/** The same endpoint on a host; of several the one that the records name is the one that lives. */
async function twin(host: Host, n: number): Promise<Guest> {
  const guest = await host.addGuest({ n, ip4: `${IP}/24`, ip6: null, mac: MAC, dad: false });
  // Its own chatter (router solicitations) would teach bridges where it is, moved or not.
  await guest.namespace.sysctl({ 'net/ipv6/conf/eth0/disable_ipv6': 1 });
  return guest;
}

/** What the kernel tells of the MAC on the VXLAN device, and when it did. */
class TableMonitor {
  readonly #program: Program;

  static async start(host: Host): Promise<TableMonitor> {
    const argv = ['stdbuf', '-oL', 'bridge', '-t', 'monitor', 'fdb'];
    return new TableMonitor(await pair.lab.start(host.namespace.inside(argv), { TZ: 'UTC', LC_ALL: 'C' }));
  }

  private constructor(program: Program) {
    this.#program = program;
  }

  /** When the MAC was said to be behind the VTEP, ms of the wall clock, behind the first `skip` lines. */
  find(vtep: string, skip: number): number | undefined {
    const { lines } = this.#program;
    const at = lines.findIndex(
      (line, index) => index >= skip && line.includes(`${MAC} dev vxlan100 dst ${vtep} `),
    );
    // The time is a line of its own before it.
    const [, date = '', micros = ''] = /^Timestamp: (.*) (\d+) usec/.exec(lines[at - 1] ?? '') ?? [];
    return at < 0 ? undefined : Date.parse(`${date} UTC`) + Number(micros) / 1000;
  }

  get heard(): number {
    return this.#program.lines.length;
  }
}

const wallClock = (): number => performance.timeOrigin + performance.now();

test(
  `${MOVES} moves while traffic flows: the kernel follows every one`,
  async () => {
    const { lab, host1, host2, guest1, redis } = pair;
    const host3 = await lab.addHost();
    await twin(host2, 3);
    await twin(host3, 4);
    await pair.publish(...records(host2, false));
    await pair.serve(host3);
    const client = new Redis({ path: redis.socket });
    const watch = await TableMonitor.start(host1);
    const traffic = await Traffic.start(lab, guest1, IP);
    const took: number[] = [];
    try {
      for (let move = 0; move < MOVES; move++) {
        const to = move % 2 === 0 ? host3 : host2;
        const skip = watch.heard;
        const began = wallClock();
        await client.set(ipKey(100, IP), `${MAC} ${to.vtep}`);
        const seen = await until(`move ${move} to reach the kernel`, () => watch.find(to.vtep, skip), {
          every: 1,
        });
        took.push(seen - began);
        await traffic.flows();
      }
      await becomesTrue(redis, host1.segment, { held: [IP] });
      // And as fast as one can say it: what counts is the last word.
      await client.mset(...records(host3, true).flat());
      const burst = client.pipeline();
      for (let move = 0; move < MOVES; move++)
        burst.set(...(records(move % 2 === 0 ? host2 : host3, false)[0] ?? ['', '']));
      await burst.exec();
      await client.del(macKey(100, MAC));
      await becomesTrue(redis, host1.segment, { held: [IP] });
      await traffic.flows();
    } finally {
      client.disconnect();
    }
    const { sent, lost } = await traffic.stop();
    const sorted = took.sort((a, b) => a - b);
    const at = (quota: number): number => sorted[Math.ceil(sorted.length * quota) - 1] ?? NaN;
    console.info(
      `${MOVES} moves, SET to kernel: median ${at(0.5).toFixed(1)} ms, 99 % ${at(0.99).toFixed(1)} ms, ` +
        `worst ${at(1).toFixed(1)} ms; ${lost} of ${sent} packets lost`,
    );
    // 100 ms is the aim; a noisy machine gets ten times that.
    expect(at(0.99)).toBeLessThan(1_000);
    expect(lost).toBe(0);
  },
  limit(MOVES * 100),
);

/** Counts from the moment the records say so; the old place is silent, and nothing there is taken down. */
async function moves(from: Guest, to: Guest, mac: boolean): Promise<number> {
  const { lab, guest1 } = pair;
  const traffic = await Traffic.start(lab, guest1, IP);
  await from.namespace.ip(['address', 'flush', 'dev', 'eth0']);
  await to.namespace.ip(['address', 'replace', `${IP}/24`, 'dev', 'eth0']);
  const began = performance.now();
  await pair.publish(...records(to.segment.host, mac));
  await traffic.flows();
  const took = performance.now() - began;
  await traffic.stop();
  return took;
}

test.each([
  ['an ip: record alone', false],
  ['both records', true],
])('local to remote and back, the old port still up and the guest silent, with %s', async (_what, mac) => {
  const { host1, host2, redis } = pair;
  const here = await twin(host1, 3);
  const there = await twin(host2, 4);
  await there.namespace.ip(['address', 'flush', 'dev', 'eth0']);
  await pair.publish(...records(host1, mac));
  const away = await moves(here, there, mac);
  // Guest 1 knows the MAC, so it never asks for the address: the L2 miss alone brings the entry.
  await expectTables(host1.segment, redis, { ips: [], macs: [MAC] });
  const back = await moves(there, here, mac);
  await becomesTrue(redis, host1.segment, { held: [] });
  const again = await moves(here, there, mac);
  console.info(
    `${_what}: away ${away.toFixed(0)} ms, back ${back.toFixed(0)} ms, away ${again.toFixed(0)} ms`,
  );
  for (const took of [away, back, again]) expect(took).toBeLessThan(1_000);
});

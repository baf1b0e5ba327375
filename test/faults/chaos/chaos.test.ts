/**
 * Four networks on three hosts. A random mix of faults is done to one of them; guests of the other three talk all the
 * time and lose nothing. Two minutes of it; an hour at full length, or MISSD_CHAOS_MINUTES. `MISSD_CHAOS_SEED=N` repeats
 * a run.
 */
import type { SegmentHost } from '../../../src/lab/guest-plan.ts';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest';
import { run } from '../../../src/lab/command.ts';
import { Daemon } from '../../../src/lab/daemon.ts';
import type { Guest } from '../../../src/lab/guest.ts';
import { Lab } from '../../../src/lab/lab.ts';
import { addressRecords, ipKey } from '../../../src/lab/records.ts';
import { RedisServer } from '../../../src/lab/redis-server.ts';
import { until } from '../../../src/lab/wait.ts';
import { arpBurst, booksBalance } from '../../lab/harness.ts';
import { SCALE } from '../scale.ts';
import { Traffic } from '../traffic.ts';
import { becomesTrue } from '../truth.ts';
import { Dice } from './dice.ts';
import { FAULT_NAMES, change, commit, initial } from './faults.ts';
import { Victim } from './victim.ts';

const MINUTES = Number(process.env['MISSD_CHAOS_MINUTES'] ?? (SCALE < 1 ? 2 : 60));
const LENGTH = MINUTES * 60_000;
const SEED = Number(process.env['MISSD_CHAOS_SEED'] ?? Date.now() % 1_000_000);
const QUIET_VNIS = [100, 101, 102];
const MB = 1 << 20;
/**
 * What the heap of a daemon and its resident memory may grow from the middle third to the last one, bytes. Seen in 12
 * minutes: the heap within 5 MB, resident memory within 35 MB, because V8 returns pages when it likes.
 */
const GROWTH = { nodejs_heap_size_used_bytes: 24 * MB, process_resident_memory_bytes: 64 * MB };
type Memory = keyof typeof GROWTH;
const MEMORY = Object.keys(GROWTH) as Memory[];
/** Short enough that everything that is held is checked, and everything that is idle leaves, many times in a run. */
const FLAGS = ['--lifetime', '5', '--idle', '10', '--audit', '2', '--negative-lifetime', '1'];

let lab: Lab;
let redis: RedisServer;
const daemons: Daemon[] = [];
const victims: Victim[] = [];
/** Of the quiet networks: one guest per host and VNI. */
const guests: Guest[] = [];
let flooder: string;

beforeAll(async () => {
  lab = await Lab.open();
  redis = await RedisServer.start(lab);
  flooder = join(lab.directory, 'flood');
  await run(['cc', '-O2', '-o', flooder, new URL('../../flood.c', import.meta.url).pathname]);
  for (let n = 1; n <= 3; n += 1) await lab.addHost(...QUIET_VNIS.map((vni) => ({ vni })));
  for (const host of lab.hosts) {
    for (const [index, segment] of host.segments.entries())
      guests.push(await segment.addGuest({ n: 10 * (index + 1) + host.n, dad: false }));
    victims.push(await Victim.build(host));
  }
  const records = [...guests, ...victims.flatMap(({ guest }) => guest ?? [])].flatMap(addressRecords);
  await redis.commands([...initial(), ...records.map(([key, value]) => `SET "${key}" "${value}"`)]);
  for (const [index, host] of lab.hosts.entries()) {
    const netns = [host.namespace.name, victims[index]?.netns ?? ''];
    daemons.push(await Daemon.start(lab, { netns, redis: redis.socket, flags: FLAGS }));
  }
  await Promise.all(daemons.map((daemon) => daemon.ready()));
});
afterAll(() => lab.close());
beforeEach(() => {
  onTestFailed(() => {
    console.error(`seed ${SEED}`);
    for (const [index, daemon] of daemons.entries())
      console.error(`missd of host ${index + 1}:\n${daemon.log.slice(-60).join('\n')}`);
  });
});

const guestOf = (host: SegmentHost, vni: number): Guest => {
  const found = guests.find(({ segment }) => segment.host === host && segment.vni === vni);
  if (found === undefined) throw new Error(`host ${host.n} has no guest of VNI ${vni}`);
  return found;
};

/** Every guest of the quiet networks talks to its like on the next host. */
function talk(): Promise<Traffic[]> {
  return Promise.all(
    guests.map((guest) => {
      const next = lab.hosts[guest.segment.host.n % lab.hosts.length] ?? guest.segment.host;
      return Traffic.start(lab, guest, guestOf(next, guest.segment.vni).ip4 ?? '');
    }),
  );
}

/** Does faults to the victim of one host until it is time to end. */
async function torment(index: number, dice: Dice, done: () => boolean, told: string[]): Promise<void> {
  const [victim, daemon] = [victims[index], daemons[index]];
  if (victim === undefined || daemon === undefined) return;
  const scene = { victim, daemon, redis, dice, flooder, huge: 12_000_000 };
  while (!done()) {
    const name = dice.pick(FAULT_NAMES);
    told.push(`host ${index + 1}: ${name}`);
    await commit(name, scene);
    await sleep(dice.number(400));
  }
}

/** Changes records of the victim's network, some hundred a second. */
async function churn(dice: Dice, done: () => boolean): Promise<void> {
  while (!done()) {
    await redis.commands(Array.from({ length: 20 }, () => change(dice)));
    await sleep(50);
  }
}

/** On the quiet networks somebody asks for an address that was never asked for, and gets its entry. */
async function newcomers(dice: Dice, done: () => boolean): Promise<number> {
  let asked = 0;
  for (; !done(); asked += 1) {
    const guest = dice.pick(guests);
    const { vni, host } = guest.segment;
    const ip = `22.${asked >> 8}.${asked & 255}.1`;
    // A redis-cli whose connection is cut loses its command and ends with 0.
    const record = `SET "${ipKey(vni, ip)}" "02:42:16:00:00:01 10.99.0.9" NX EX 30`;
    const held = async (): Promise<boolean> => {
      await redis.commands([record]);
      await arpBurst(guest, ip);
      return (await guest.segment.neighbours()).some((row) => row.ip === ip);
    };
    try {
      await until(`host ${host.n} to answer for ${ip} of VNI ${vni}`, held, { timeout: 20_000, every: 200 });
    } catch (error) {
      const daemon = daemons[host.n - 1];
      for (const path of [`/history?vni=${vni}&address=${ip}`, '/readyz', '/status'])
        console.error(path, (await daemon?.get(path))?.body);
      console.error(
        'missd_resolutions_total',
        (await daemon?.get('/metrics'))?.body.match(/^missd_(resol|misses|lookups|lookup|internal).*$/gm),
      );
      throw error;
    }
    await sleep(500);
  }
  return asked;
}

/** What each daemon holds, bytes, once a second. */
async function watchMemory(done: () => boolean): Promise<Record<Memory, number>[][]> {
  const sizes: Record<Memory, number>[][] = [];
  while (!done()) {
    const metrics = await Promise.all(daemons.map((daemon) => daemon.metrics()));
    sizes.push(metrics.map((one) => mapMemory((name) => one.sum(name))));
    await sleep(1_000);
  }
  return sizes;
}

const mapMemory = (value: (name: Memory) => number): Record<Memory, number> => ({
  nodejs_heap_size_used_bytes: value('nodejs_heap_size_used_bytes'),
  process_resident_memory_bytes: value('process_resident_memory_bytes'),
});

/** The least that each daemon held in a part of the run: peaks are garbage that V8 has not collected yet. */
const least = (sizes: readonly Record<Memory, number>[][], name: Memory): number[] =>
  daemons.map((_, index) => Math.min(...sizes.map((one) => one[index]?.[name] ?? Infinity)));

test(
  `chaos in one network for ${LENGTH / 60_000} minutes, seed ${SEED}: the others lose nothing`,
  async () => {
    const dice = new Dice(SEED);
    const pids = daemons.map(({ program }) => program.pid);
    const traffic = await talk();
    const begun = performance.now();
    const done = (): boolean =>
      performance.now() - begun > LENGTH || daemons.some(({ program }) => program.end !== undefined);
    const told: string[] = [];
    const hands = victims.map((_, index) => torment(index, dice.split(), done, told));
    const [asked, sizes] = await Promise.all([
      newcomers(dice.split(), done),
      watchMemory(done),
      churn(dice.split(), done),
      ...hands,
    ]);
    const seconds = (performance.now() - begun) / 1_000;

    expect(
      daemons.map(({ program }) => program.end),
      `after ${told.slice(-6).join('; ')}`,
    ).toEqual(daemons.map(() => undefined));
    expect(daemons.map(({ program }) => program.pid)).toEqual(pids);
    const carried = await Promise.all(traffic.map((one) => one.stop()));
    const sent = carried.reduce((sum, one) => sum + one.sent, 0);
    console.info(
      `seed ${SEED}: ${told.length} faults in ${seconds.toFixed(0)} s, ${sent} packets, ${asked} newcomers answered`,
    );
    expect(carried.map(({ lost }) => lost)).toEqual(carried.map(() => 0));
    for (const one of carried) expect(one.sent / seconds).toBeGreaterThan(20);
    expect(new Set(told.map((line) => line.replace(/^host \d: /, ''))).size).toBeGreaterThan(10);

    await recovers();
    const third = Math.floor(sizes.length / 3);
    for (const name of MEMORY) {
      const [warm, end] = [least(sizes.slice(third, 2 * third), name), least(sizes.slice(2 * third), name)];
      const inMb = (some: readonly number[]): string =>
        some.map((bytes) => (bytes / MB).toFixed(0)).join(', ');
      console.info(`${name} of three: ${inMb(warm)} MB in the middle, ${inMb(end)} MB at the end`);
      for (const [index, bytes] of end.entries())
        expect(bytes - (warm[index] ?? 0), name).toBeLessThan(GROWTH[name]);
    }
  },
  LENGTH + 180_000,
);

/** Everything mended: every network is served again, and every table is what the directory says. */
async function recovers(): Promise<void> {
  for (const victim of victims) await victim.mend();
  const records = victims.flatMap(({ guest }) => guest ?? []).flatMap(addressRecords);
  await redis.commands([...initial(), ...records.map(([key, value]) => `SET "${key}" "${value}"`)]);
  for (const { guest } of victims) {
    const others = victims.flatMap((victim) => (victim.guest === guest ? [] : (victim.guest?.ip4 ?? [])));
    for (const ip of others)
      await until(
        `${guest?.namespace.name ?? ''} to reach ${ip}`,
        async () => ((await guest?.ping(ip))?.received ?? 0) > 0,
        { timeout: 30_000 },
      );
  }
  for (const daemon of daemons) {
    await daemon.ready();
    await booksBalance(daemon);
  }
  const segments = [...lab.hosts.flatMap((host) => host.segments), ...victims.map(({ segment }) => segment)];
  for (const segment of segments) await becomesTrue(redis, segment, { within: 30_000 });
}

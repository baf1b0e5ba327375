/**
 * Three hosts whose guests are started, stopped, moved, and made again with the same address and a new MAC, at random. Nobody
 * writes a record and no guest announces itself. In the end everything is as it is said, and who stayed has lost nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Host } from '../../src/lab/host.ts';
import { type Namespace, ip as command } from '../../src/lab/namespace.ts';
import { parsePing, pingArgv } from '../../src/lab/ping.ts';
import type { FdbRow } from '../../src/lab/rows.ts';
import { until } from '../../src/lab/wait.ts';
import { JoinLab, tellOnFailure } from '../lab/joining.ts';
import { SCALE } from './scale.ts';
import { Traffic } from './traffic.ts';
import { becomesTrue } from './truth.ts';

const VNI = 100;
const DEVICE = 'vx-blue';
const LENGTH = SCALE < 1 ? 30_000 : 300_000;
const HOSTS = [1, 2, 3];
/** One stays on each host; the others come and go. */
const STAYING = [1, 2, 3];
const RESTLESS = [4, 5, 6, 7, 8, 9];
/** Until the last of them is known: a port that is up without an address is asked after 1, 3 and 10 s. */
const SETTLED = 30_000;

/** The same churn every time: a linear congruential generator (Numerical Recipes). */
let seed = 1;
const random = (below: number): number => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((seed / 2 ** 32) * below);
};

class Guest {
  readonly ip: string;
  readonly namespace: Namespace;
  mac = '';
  /** Number of the host where it is; 0 for nowhere. */
  at = 0;
  readonly #port: string;
  #made = 0;

  constructor(n: number) {
    this.ip = `20.0.0.${n}`;
    this.#port = `g${n}`;
    this.namespace = lab.host(1).name(`g${n}`);
    this.renew();
  }

  renew(): void {
    this.#made += 1;
    this.mac = `02:96:00:00:${this.#made.toString(16).padStart(2, '0')}:0${this.#port.slice(1)}`;
  }

  async plug(n: number): Promise<void> {
    const { name } = this.namespace;
    const peer = ['peer', 'name', 'eth0', 'netns', name, 'address', this.mac, 'mtu', 1450];
    await hostOf(n).namespace.ip(
      ['link', 'add', this.#port, 'mtu', 1450, 'type', 'veth', ...peer],
      ['link', 'set', this.#port, 'master', 'br-blue', 'up'],
    );
    await this.namespace.ip(
      ['link', 'set', 'eth0', 'up'],
      ['address', 'add', `${this.ip}/24`, 'dev', 'eth0'],
    );
    this.at = n;
  }

  async unplug(): Promise<void> {
    await hostOf(this.at).namespace.ip(['link', 'delete', this.#port]);
    this.at = 0;
  }

  async reaches(other: Guest): Promise<boolean> {
    const argv = pingArgv(other.ip, { count: 3 });
    const { stdout, stderr } = await this.namespace.attempt(argv, { timeout: 30_000 });
    return parsePing(other.ip, stdout, stderr).received > 0;
  }
}

let lab: JoinLab;
let guests: Guest[];
const vteps = new Map<number, string>();
const hostOf = (n: number): Host => lab.host(n);
const restless = (): Guest[] => guests.slice(STAYING.length);
const live = (): Guest[] => guests.filter(({ at }) => at > 0);

beforeAll(async () => {
  lab = await JoinLab.open(HOSTS.length);
  await lab.network('blue', VNI, { publish: 'learned' });
  for (const n of HOSTS) await lab.run(n, ['blue']);
  for (const n of HOSTS) vteps.set(n, (await lab.untilState(n, 'joined')).vtep ?? '');
  guests = [...STAYING, ...RESTLESS].map((n) => new Guest(n));
  for (const { namespace } of guests) {
    await command(lab.host(1).namespace.record, ['netns', 'add', namespace.name]);
    await namespace.ip(['link', 'set', 'lo', 'up']);
  }
  for (const [index, guest] of guests.entries()) await guest.plug(1 + (index % HOSTS.length));
  await settled();
});
afterAll(() => lab.close());
tellOnFailure(() => lab);

/** What the directory says of addresses. */
async function published(): Promise<string[]> {
  const keys = (await lab.redis.cli('KEYS', `missd:{${VNI}}:ip:*`)).split('\n').filter((key) => key !== '');
  if (keys.length === 0) return [];
  const values = (await lab.redis.cli('MGET', ...keys)).split('\n');
  return keys.map((key, index) => `${key.split(':ip:')[1] ?? ''} ${values[index] ?? ''}`).sort();
}
const should = (): string[] =>
  live()
    .map(({ ip, mac, at }) => `${ip} ${mac} ${vteps.get(at) ?? ''}`)
    .sort();

async function settled(): Promise<void> {
  const isSo = async (): Promise<boolean> => (await published()).join() === should().join();
  await until('the directory to equal the guests', isSo, { timeout: SETTLED, every: 200 }).catch(
    () => undefined,
  );
  expect(await published()).toEqual(should());
}

/** One guest comes, goes, moves, or is made again. */
async function change(): Promise<void> {
  const guest = restless()[random(RESTLESS.length)];
  if (guest === undefined) return;
  const host = 1 + random(HOSTS.length);
  if (guest.at === 0) {
    if (random(2) === 0) guest.renew();
    await guest.plug(host);
    return;
  }
  const what = random(3);
  await guest.unplug();
  if (what === 0) return;
  // The same machine elsewhere, or another one with its address.
  if (what === 1) guest.renew();
  await guest.plug(host);
}

test(
  'everything is as it is said in the end, and who stayed has lost nothing',
  { timeout: LENGTH + 120_000 },
  async () => {
    const [first, second, third] = guests;
    if (first === undefined || second === undefined || third === undefined) throw new Error('no guests');
    const pairs = [
      [first, second],
      [second, third],
      [third, first],
    ] as const;
    const traffics = await Promise.all(
      pairs.map(([from, to]) => Traffic.start(lab.lab, from.namespace, to.ip, { interval: 0.05 })),
    );
    for (const end = performance.now() + LENGTH; performance.now() < end;) {
      await change();
      await sleep(random(500));
    }
    // However it came, some are nowhere in the end.
    for (const guest of restless().slice(0, 2)) if (guest.at > 0) await guest.unplug();
    await settled();
    for (const traffic of traffics) expect((await traffic.stop()).lost).toBe(0);
    for (const from of live()) {
      const others = live().filter((other) => other !== from);
      const reached = await Promise.all(others.map(async (to) => [to.ip, await from.reaches(to)] as const));
      expect({ from: from.ip, lost: reached.filter(([, got]) => !got) }).toEqual({ from: from.ip, lost: [] });
    }
    for (const n of HOSTS) {
      const { namespace } = hostOf(n);
      const rows = async (): Promise<FdbRow[]> =>
        (await namespace.fdb(DEVICE)).filter((row) => row.self && row.vtep !== undefined);
      const tables = { vni: VNI, neighbours: () => namespace.neighbours(DEVICE), fdb: rows };
      await becomesTrue(lab.redis, tables, { home: [vteps.get(n) ?? ''] });
    }
    for (const n of HOSTS) expect(await lab.daemon(n).metric('missd_internal_errors_total')).toBe(0);
  },
);

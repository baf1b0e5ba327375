/**
 * What most lab tests start from: two hosts with a guest each, a Redis, and a missd per host that serves its
 * namespace from outside. Everything is real, and everything goes with the lab.
 */
import { beforeEach, expect, onTestFailed } from 'vitest';
import { Daemon, type DaemonOptions } from '../../src/lab/daemon.ts';
import type { Guest } from '../../src/lab/guest.ts';
import type { Host } from '../../src/lab/host.ts';
import { Lab, type LabOptions } from '../../src/lab/lab.ts';
import type { MetricsText } from '../../src/lab/metrics-text.ts';
import { type Entry, addressRecords, leaseRecords, subnetsKey } from '../../src/lab/records.ts';
import type { RoutedSegment } from '../../src/lab/routed-segment.ts';
import { RedisServer } from '../../src/lab/redis-server.ts';
import type { SegmentOptions } from '../../src/lab/segment.ts';
import { until } from '../../src/lab/wait.ts';
import { roomForNeighbours } from './neighbour-table.ts';

/**
 * A guest left to itself asks again after 1 s, so a first ping that comes later than this was not helped. The usual
 * figure is two orders of magnitude below; a noisy machine may take some of that.
 */
export const BEFORE_THE_RETRY = 900;

/** What one host adds to a pair of the harness. */
export interface PairOptions extends LabOptions {
  /** The same on both hosts; one of VNI 100 by default. */
  segments?: readonly SegmentOptions[];
  /** More addresses on guest 2, each with its own MAC. */
  also?: readonly number[];
  /** Further flags for both daemons. */
  flags?: readonly string[];
  /** Static directory file for both daemons instead of Redis. */
  directory?: (lab: Lab) => string;
  /** Another Redis than the usual one. */
  redis?: (lab: Lab) => Promise<RedisServer>;
  /** Starts no daemon; the test does. */
  noDaemons?: boolean;
}

/** What a daemon is started with besides its flags. */
type Source = Pick<DaemonOptions, 'directory' | 'env' | 'main'>;

export class Pair {
  readonly lab: Lab;
  readonly host1: Host;
  readonly host2: Host;
  readonly guest1: Guest;
  readonly guest2: Guest;
  readonly redis: RedisServer;
  readonly daemons: Daemon[] = [];

  static async build(options: PairOptions = {}): Promise<Pair> {
    const { segments = [], also = [], flags = [], directory, noDaemons = false } = options;
    await roomForNeighbours();
    const lab = await Lab.open(options);
    try {
      const host1 = await lab.addHost(...segments);
      const host2 = await lab.addHost(...segments);
      const guest1 = await host1.addGuest({ n: 1, dad: false });
      const guest2 = await host2.addGuest({ n: 2, dad: false, also });
      const redis = await (options.redis?.(lab) ?? RedisServer.start(lab));
      const pair = new Pair(lab, host1, host2, guest1, guest2, redis);
      if (!noDaemons) {
        const source = directory === undefined ? {} : { directory: directory(lab) };
        await Promise.all([host1, host2].map((host) => pair.serve(host, flags, source)));
      }
      return pair;
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  private constructor(lab: Lab, host1: Host, host2: Host, guest1: Guest, guest2: Guest, redis: RedisServer) {
    this.lab = lab;
    this.host1 = host1;
    this.host2 = host2;
    this.guest1 = guest1;
    this.guest2 = guest2;
    this.redis = redis;
  }

  /** A missd for a host; ready when this resolves. */
  async serve(host: Host, flags: readonly string[] = [], source: Source = {}): Promise<Daemon> {
    const daemon = await this.start(host, flags, source);
    return daemon.ready();
  }

  /** The same without waiting for anything. */
  async start(host: Host, flags: readonly string[] = [], source: Source = {}): Promise<Daemon> {
    const redis = source.directory === undefined ? { redis: this.redis.socket } : {};
    const daemon = await Daemon.start(this.lab, { netns: host.served, ...redis, ...source, flags });
    this.daemons[host.n - 1] = daemon;
    return daemon;
  }

  /** The daemon of host 1, where the questions of most tests come in. */
  get daemon(): Daemon {
    const [first] = this.daemons;
    if (first === undefined) throw new Error('host 1 has no daemon');
    return first;
  }

  /** Writes records as any program would: plain keys, nothing but SET. */
  async publish(...entries: readonly Entry[]): Promise<void> {
    await this.redis.commands(entries.map(([key, value]) => `SET "${key}" ${JSON.stringify(value)}`));
  }

  /** Records for every address of these guests. */
  async publishGuests(...guests: readonly Guest[]): Promise<void> {
    await this.publish(...guests.flatMap(addressRecords));
  }

  /** The leases of hosts that route. */
  async publishLeases(...segments: readonly RoutedSegment[]): Promise<void> {
    await this.publish(...segments.flatMap(leaseRecords));
    for (const { vni, subnets } of segments) await this.redis.cli('SADD', subnetsKey(vni), ...subnets);
  }

  close(): Promise<void> {
    return this.lab.close();
  }
}

/** Shows what the daemons said where a test fails. */
export function tellOnFailure(pair: () => Pair | undefined): void {
  beforeEach(() => {
    onTestFailed(() => {
      for (const [index, daemon] of (pair()?.daemons ?? []).entries()) {
        console.error(`missd of host ${index + 1}:\n${daemon.log.slice(-40).join('\n')}`);
      }
    });
  });
}

/** How far a counter went while something was done. */
export async function counting<T>(
  daemon: Daemon,
  act: () => Promise<T>,
): Promise<{ done: T; since: MetricsText['sum'] }> {
  const before = await daemon.metrics();
  const done = await act();
  const after = await daemon.metrics();
  return { done, since: (name, labels) => after.sum(name, labels) - before.sum(name, labels) };
}

/** Every miss must end somewhere: misses = resolutions + ignored, once nothing is in flight any more. */
export async function booksBalance(daemon: Daemon): Promise<void> {
  const books = async (): Promise<{ misses: number; accounted: number }> => {
    const metrics = await daemon.metrics();
    return {
      misses: metrics.sum('missd_misses_total'),
      accounted: metrics.sum('missd_resolutions_total') + metrics.sum('missd_misses_ignored_total'),
    };
  };
  try {
    await until('the books to balance', async () => {
      const { misses, accounted } = await books();
      return misses === accounted;
    });
  } catch {
    const { misses, accounted } = await books();
    expect(accounted).toBe(misses);
  }
}

/** Sends ARP requests from a guest, back to back, for `distinct` addresses from the first one on, over and over. */
export async function arpBurst(
  guest: Pick<Guest, 'namespace' | 'mac' | 'ip4'>,
  first: string,
  count = 1,
  distinct = count,
): Promise<void> {
  const script = new URL('arp-burst.py', import.meta.url).pathname;
  const numbers = [String(count), String(distinct)];
  await guest.namespace.exec(['python3', script, 'eth0', guest.mac, guest.ip4 ?? '', first, ...numbers]);
}

/** The same, and waits until the daemon has heard of it all and nothing is in flight any more. */
export async function ask(daemon: Daemon, guest: Guest, first: string, count = 1): Promise<void> {
  const heard = async () => daemon.metric('missd_misses_total', { layer: 'l3' });
  const before = await heard();
  await arpBurst(guest, first, count);
  await until('the misses to arrive', async () => (await heard()) >= before + count);
  await booksBalance(daemon);
}

export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

/** For `afterAll`, which runs also where building failed. */
export const close = async (pair: Pair | undefined): Promise<void> => pair?.close();

/**
 * The workload of `missd lab compare`: some pairs among many guests talk, then one guest moves to another host while guests
 * of its old host and of another host ping it. IPv4 only.
 */
import { readFileSync } from 'node:fs';
import type { Blueprint } from './blueprint.ts';
import { FloodCounter } from './flood-counter.ts';
import type { Guest } from './guest.ts';
import { RoutedSegment } from './routed-segment.ts';
import { Site } from './site.ts';
import { compareTables } from './tables.ts';
import { Watcher } from './watcher.ts';

export interface WorkloadOptions {
  /** Guests on every host. */
  guests: number;
  /** Pairs of guests that talk, each with a guest of the next host. */
  pairs: number;
}

export interface Figures {
  lab: string;
  filling: string;
  /** Rows about guests of other hosts in the kernel tables of each host, once the pairs have talked. */
  entries: { neighbours: number; fdb: number; routes: number }[];
  /** The tables hold the expected entries and no others. */
  exact: boolean;
  /** Round trips of the first ping of each pair, ms; a lost ping is missing. */
  first: number[];
  /** Round trips of the later pings, ms. */
  later: number[];
  sent: number;
  lost: number;
  /** See `FloodCounter`; including the move. */
  flooded: number;
  /**
   * Time from the moment when the guest is up on its new host with a new record until all guests that ping it get answers
   * again, ms. `impossible` if the address belongs to the host, `never` if the answers did not come in time.
   */
  move: number | 'impossible' | 'never';
  /** Processor time of all daemons, ms; null without daemons. */
  cpu: number | null;
}

/** Longest wait for an answer of the moved guest, ms. */
const MOVE_TIMEOUT = 20_000;

export async function measure(blueprint: Blueprint, { guests, pairs }: WorkloadOptions): Promise<Figures> {
  const site = await Site.build(blueprint, { guests, ip4Only: true });
  try {
    const flood = await FloodCounter.start(site.lab.underlay);
    const cpu = cpuOf(site);
    const talking = site.pairs(pairs).slice(0, pairs);
    const figures = { first: [] as number[], later: [] as number[], sent: 0, lost: 0 };
    for (const { from, to } of talking) {
      for (const [kind, count] of [['first', 1] as const, ['later', 10] as const]) {
        const { rtts, sent, received } = await from.ping(to.ip4 ?? '', { count, interval: 0.01 });
        figures[kind].push(...rtts);
        figures.sent += sent;
        figures.lost += sent - received;
      }
    }
    const tables = await Promise.all(site.hosts.map((host) => compareTables(site, host, talking)));
    const move = await moveOne(site);
    const { name: lab, filling } = blueprint;
    return {
      lab,
      filling,
      entries: tables.map(({ neighbours, fdb, routes }) => ({
        neighbours: neighbours.length,
        fdb: fdb.length,
        routes: routes.length,
      })),
      exact: tables.every(({ missing, unexpected }) => missing.length + unexpected.length === 0),
      ...figures,
      flooded: await flood.read(),
      move,
      cpu: site.daemons.length === 0 ? null : cpuOf(site) - cpu,
    };
  } finally {
    await site.close();
  }
}

/** Moves the first guest of host 2 to the last host, or to host 1 if there are two hosts. */
async function moveOne(site: Site): Promise<Figures['move']> {
  const [one, two, three = one] = site.hosts;
  if (one === undefined || two === undefined || three === undefined)
    throw new Error('a move needs two hosts');
  if (two.segment instanceof RoutedSegment) return 'impossible';
  const [mover, stays] = site.guestsOf(two);
  const [away] = site.guestsOf(one);
  const watching = [away, stays].filter((guest) => guest !== undefined);
  if (mover === undefined) throw new Error('no guest to move');
  const watchers = await Promise.all(watching.map((from) => Watcher.start(site.lab, from, ipOf(mover))));
  const { gone, at } = await site.move(mover, three);
  const answers = await Promise.all(watchers.map((watcher) => watcher.answerAfter(gone, MOVE_TIMEOUT)));
  await Promise.all(watchers.map((watcher) => watcher.stop()));
  const heard = answers.filter((answer) => answer !== undefined);
  return heard.length < answers.length ? 'never' : Math.max(0, ...heard.map((answer) => answer - at));
}

const ipOf = ({ ip4 = '' }: Guest): string => ip4;

/** Processor time of all daemons so far, ms (proc(5), stat: utime and stime in ticks of 10 ms). */
function cpuOf({ daemons }: Site): number {
  const ticks = daemons.flatMap(({ program }) =>
    (readFileSync(`/proc/${program.pid}/stat`, 'utf8').split(') ').at(-1) ?? '').split(' ').slice(11, 13),
  );
  return ticks.reduce((sum, count) => sum + Number(count) * 10, 0);
}

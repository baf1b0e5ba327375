/**
 * What every lab is put to for `missd lab compare`: some pairs among many guests talk, then one guest moves to another
 * host while it is being pinged from its old one and from another. IPv4 alone.
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
  /** On every host. */
  guests: number;
  /** Of guests that talk, each with one on the next host. */
  pairs: number;
}

export interface Figures {
  lab: string;
  filling: string;
  /** Rows about guests of other hosts in the kernel tables of each host, once the pairs have talked. */
  entries: { neighbours: number; fdb: number; routes: number }[];
  /** The tables hold what they ought to, no more. */
  exact: boolean;
  /** Round trips of the first ping of each pair, ms; a lost one is missing. */
  first: number[];
  /** Of the later ones. */
  later: number[];
  sent: number;
  lost: number;
  /** See `FloodCounter`; the move included. */
  flooded: number;
  /**
   * From the moment when the guest is up at its new place and its record says so until both that ping it hear from it
   * again, ms. `impossible` where its address belongs to its host, `never` where it was not heard again in time.
   */
  move: number | 'impossible' | 'never';
  /** Processor time of all daemons meanwhile, ms; null where there are none. */
  cpu: number | null;
}

/** What has not taken effect by then never will, ms. */
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

/** The first guest of host 2 goes to the last host, or to host 1 where there is no other. */
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

/** Ticks of all daemons so far as ms (proc(5), stat: utime and stime in hundredths of a second). */
function cpuOf({ daemons }: Site): number {
  const ticks = daemons.flatMap(({ program }) =>
    (readFileSync(`/proc/${program.pid}/stat`, 'utf8').split(') ').at(-1) ?? '').split(' ').slice(11, 13),
  );
  return ticks.reduce((sum, count) => sum + Number(count) * 10, 0);
}

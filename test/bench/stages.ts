/** Where the time of a first packet goes, stage by stage. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Field } from './field.ts';
import { hook } from './hook.ts';
import type { BenchOptions } from './options.ts';
import { type Probed, probe } from './probe.ts';
import { ROOT } from './root.ts';
import { type Kind, TOPOLOGIES, type Topology, address } from './rule.ts';
import { seatMissd } from './seat.ts';
import { percentile } from './statistics.ts';
import { type Findings, type Row, microseconds } from './table.ts';

/** What the hook notes, in the order of a miss. */
export type Mark = 'misses' | 'read' | 'answered' | 'write' | 'written' | 'announce' | 'announced';

/** Each from the end of the one before it; what a way does not go through takes no time. */
const STAGES: readonly [until: Mark | 'answer', name: string][] = [
  ['misses', 'kernel and addon, to JavaScript'],
  ['read', 'admission'],
  ['answered', 'directory'],
  ['write', 'judging (and admission, from memory)'],
  ['written', 'both writes; routed with the packet on its way'],
  ['announce', 'to the announcement'],
  ['announced', 'announcement, with the packet on its way'],
  ['answer', 'back to the guest, where it is not yet'],
];
const KINDS: readonly [Kind, string][] = [
  ['lease', 'missd, lease in memory'],
  ['record', 'missd, through Redis'],
];
const WARM_UP = 200;

interface Way {
  topology: Topology;
  name: string;
  probed: Probed;
}

export async function stages(field: Field, { quick }: BenchOptions): Promise<Findings> {
  const count = quick ? 100 : 400;
  for (const topology of TOPOLOGIES) await field.publish(topology, 1 + WARM_UP + count);
  const file = join(field.lab.directory, 'stages');
  const env = { BENCH_STAGES: file, BENCH_DIST: join(ROOT, 'dist'), NODE_OPTIONS: hook('stages-hook') };
  const { stand, responder } = await seatMissd(field, { env });
  const ways: Way[] = [];
  for (const topology of TOPOLOGIES)
    for (const [kind, name] of KINDS) {
      const from = topology === 'bridged' ? stand.guest.namespace : stand.host.namespace;
      await probe(field, from, address(topology, kind, 1), WARM_UP);
      const probed = await probe(field, from, address(topology, kind, 1 + WARM_UP), count);
      await stand.guest.forgetNeighbours();
      ways.push({ topology, name, probed });
    }
  await responder.stop();
  const marks = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(' '))
    .map(([mark = '', at]) => ({ mark, at: Number(at) }));

  const raw: Record<string, Record<string, number[]>> = {};
  const rows = ways.flatMap(({ topology, name, probed }): Row[] => {
    const took = STAGES.map((): number[] => []);
    let next = 0;
    probed.sent.forEach((sent, index) => {
      const answer = sent + (probed.first[index] ?? NaN);
      while ((marks[next]?.at ?? Infinity) < sent) next += 1;
      const last = new Map<string, number>([['answer', answer]]);
      for (; (marks[next]?.at ?? Infinity) < answer; next += 1) {
        const { mark, at } = marks[next] ?? { mark: '', at: NaN };
        // Of several writes all the time from the first to the end of the last, of anything else the first.
        if (mark === 'written' || !last.has(mark)) last.set(mark, at);
      }
      let reached = sent;
      STAGES.forEach(([until], stage) => {
        const at = Math.max(reached, last.get(until) ?? reached);
        took[stage]?.push(at - reached);
        reached = at;
      });
    });
    const what = `${topology}, ${name}`;
    raw[what] = Object.fromEntries(STAGES.map(([until], stage) => [until, took[stage] ?? []]));
    return STAGES.map(([, stage], index) => ({
      what: `${topology}: ${stage}`,
      contender: name,
      figures: Object.fromEntries(
        ([0.5, 0.9] as const).map((quota) => [
          `p${quota * 100}`,
          microseconds(percentile(took[index] ?? [], quota)),
        ]),
      ),
    }));
  });
  return { rows, raw };
}

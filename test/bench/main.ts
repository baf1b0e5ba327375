/** `npm run bench`: missd beside a responder in C, by turns, on the real kernel. */
import { writeFileSync } from 'node:fs';
import { Argument, Command, InvalidArgumentError } from 'commander';
import { alone } from './alone.ts';
import { Field } from './field.ts';
import { flood } from './flood.ts';
import { growth, idle, memory } from './held.ts';
import { latency } from './latency.ts';
import type { BenchOptions } from './options.ts';
import { hottest, profilesIn, profiling } from './profile.ts';
import { scrape } from './scrape.ts';
import { stages } from './stages.ts';
import { storm } from './storm.ts';
import { sustained } from './sustained.ts';
import { type Findings, keyed, machine, printed } from './table.ts';
import { RAISED, setThresholds } from './thresholds.ts';

const GROUPS: Record<string, (field: Field, options: BenchOptions) => Promise<Findings>> = {
  latency,
  storm,
  sustained,
  flood,
  memory,
  idle,
  growth,
  stages,
  scrape,
};

interface CommandLine extends BenchOptions {
  json?: string;
  stages: boolean;
  profile?: string;
}

function count(text: string): number {
  const n = Number(text);
  if (!Number.isInteger(n) || n < 1) throw new InvalidArgumentError('expected a whole number from 1 on.');
  return n;
}

const command = new Command('bench')
  .description('Measures missd against a responder in C that has no store, interleaved in one run.')
  .addArgument(new Argument('[groups...]', 'what to measure, all by default').choices(Object.keys(GROUPS)))
  .option('--repetitions <n>', 'interleaved rounds', count, 5)
  .option('--quick', 'a fraction of the work', false)
  .option('--json <file>', 'every figure of every round')
  .option('--stages', 'also: where the time of a first packet goes', false)
  .option(
    '--profile <directory>',
    "each missd's CPU profile into it, and the functions it spends its time in",
  )
  .action(async (groups: string[]) => {
    const options = command.opts<CommandLine>();
    const found: Record<string, Findings> = {};
    const leave = await alone();
    const facts = machine();
    console.log(
      `Linux ${facts.kernel}, ${facts.cpus} × ${facts.cpu}, ${facts.memory}, Node ${facts.node}; ` +
        `medians of ${options.repetitions} interleaved rounds\n`,
    );
    const chosen = groups.length === 0 ? Object.keys(GROUPS) : groups;
    if (options.stages && !chosen.includes('stages')) chosen.push('stages');
    const env = options.profile === undefined ? {} : profiling(options.profile);
    const written = new Set(options.profile === undefined ? [] : profilesIn(options.profile));
    for (const group of chosen) {
      const restore = setThresholds(RAISED);
      const field = await Field.open(env);
      try {
        const findings = await GROUPS[group]?.(field, options);
        if (findings === undefined) continue;
        found[group] = { ...findings, rows: findings.rows.map(keyed) };
        console.log(`${printed(findings.rows)}\n`);
      } finally {
        await field.close();
        restore();
      }
      for (const file of options.profile === undefined ? [] : profilesIn(options.profile)) {
        if (written.has(file)) continue;
        written.add(file);
        console.log(`${hottest(file)}\n`);
      }
    }
    leave();
    if (options.json !== undefined)
      writeFileSync(options.json, `${JSON.stringify({ machine: facts, options, found }, undefined, 2)}\n`);
  });

await command.parseAsync();

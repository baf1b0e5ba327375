/** `npm run bench`: missd beside a responder in C, by turns, on the real kernel. */
import { writeFileSync } from 'node:fs';
import { Argument, Command, InvalidArgumentError } from 'commander';
import { Field } from './field.ts';
import { flood } from './flood.ts';
import { growth, idle, memory } from './held.ts';
import { latency } from './latency.ts';
import type { BenchOptions } from './options.ts';
import { storm } from './storm.ts';
import { sustained } from './sustained.ts';
import { type Findings, machine, printed } from './table.ts';
import { raiseThresholds } from './thresholds.ts';

const MOST_NEIGHBOURS = 1_000_000;

const GROUPS: Record<string, (field: Field, options: BenchOptions) => Promise<Findings>> = {
  latency,
  storm,
  sustained,
  flood,
  memory,
  idle,
  growth,
};

interface CommandLine extends BenchOptions {
  json?: string;
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
  .action(async (groups: string[]) => {
    const options = command.opts<CommandLine>();
    const found: Record<string, Findings> = {};
    const facts = machine();
    console.log(
      `Linux ${facts.kernel}, ${facts.cpus} × ${facts.cpu}, ${facts.memory}, Node ${facts.node}; ` +
        `medians of ${options.repetitions} interleaved rounds\n`,
    );
    for (const group of groups.length === 0 ? Object.keys(GROUPS) : groups) {
      const restore = raiseThresholds(MOST_NEIGHBOURS);
      const field = await Field.open();
      try {
        const findings = await GROUPS[group]?.(field, options);
        if (findings === undefined) continue;
        found[group] = findings;
        console.log(`${printed(findings.rows)}\n`);
      } finally {
        await field.close();
        restore();
      }
    }
    if (options.json !== undefined)
      writeFileSync(options.json, `${JSON.stringify({ machine: facts, options, found }, undefined, 2)}\n`);
  });

await command.parseAsync();

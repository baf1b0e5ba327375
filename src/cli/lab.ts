/** `missd lab`: real multi-host topologies in network namespaces. */
import { Command, InvalidArgumentError } from 'commander';
import * as parse from '../config/parse.ts';
import { RuntimeFailure, UsageError } from '../base/errors.ts';
import { BLUEPRINTS, type Blueprint, blueprintNamed } from '../lab/blueprint.ts';
import { LEGEND, heading, row } from '../lab/compare.ts';
import { demo } from '../lab/demo.ts';
import { KeptLab } from '../lab/kept-lab.ts';
import { Story } from '../lab/story.ts';
import { assertGood, tour } from '../lab/tour.ts';
import { type Figures, measure } from '../lab/workload.ts';
import { columns } from '../screen/columns.ts';
import { say, sayJson } from '../screen/say.ts';

export function labCommand(): Command {
  const lab = new Command('lab')
    .description('real multi-host topologies in network namespaces of this machine (needs root)')
    .usage('NAME [options]')
    // So that a name that is none gets the list of those that are, whatever follows it.
    .argument('[name]')
    .allowUnknownOption()
    .allowExcessArguments()
    .action((name: string | undefined) => {
      if (name !== undefined) throw new UsageError(`there is no lab '${name}': ${names().join(', ')}`);
      say(
        columns(
          ['NAME', 'WHAT IT SHOWS'],
          lab.commands.map((one) => [one.name(), one.summary()]),
        ),
      );
    });
  lab
    .command('demo')
    .summary('watch the first ping find its way')
    .description('two hosts, two guests, a Redis and two daemons: watch the first ping find its way')
    .option('--commands', 'show every command that makes the network', false)
    .action(demo);
  for (const blueprint of BLUEPRINTS) lab.addCommand(tourCommand(blueprint));
  lab.addCommand(compareCommand());
  lab
    .command('clean')
    .summary('take down what --keep left up')
    .description('takes down the lab that --keep left up under this name, or all of them')
    .argument('[name]', 'its name')
    .action(clean);
  const names = (): string[] => lab.commands.map((one) => one.name());
  return lab;
}

interface TourFlags {
  keep?: string | true;
  prometheus: boolean;
  commands: boolean;
  json: boolean;
}

function tourCommand(blueprint: Blueprint): Command {
  return new Command(blueprint.name)
    .summary(blueprint.summary)
    .description(blueprint.about)
    .option('--keep [NAME]', 'leave it up, and say how to enter it and how to take it down')
    .option('--prometheus', 'with --keep: a Prometheus beside it that scrapes every daemon', false)
    .option('--commands', 'show every command that makes the network', false)
    .option('--json', 'what was seen, for programs', false)
    .action(async ({ keep, prometheus, commands, json }: TourFlags) => {
      const keepAs = keep === true ? blueprint.name : keep;
      if (prometheus && keepAs === undefined) throw new UsageError('--prometheus is of use with --keep only');
      if (prometheus && blueprint.directory === undefined)
        throw new UsageError(`lab ${blueprint.name} has no daemon for a Prometheus to scrape`);
      const options = { keepAs, prometheus, commands };
      const seen = await tour(blueprint, json ? Story.untold() : new Story(), options);
      if (json) sayJson(seen);
      assertGood(seen);
    });
}

interface CompareFlags {
  guests: number;
  pairs: number;
  json: boolean;
}

function compareCommand(): Command {
  return new Command('compare')
    .summary('the same workload through all of them, in one table')
    .description(
      'Puts all labs, or those named, to the same work: some pairs of guests talk, then one guest moves to another host.',
    )
    .argument('[names...]', 'labs (default: all)', labsNamed)
    .option('--guests <N>', 'guests on every host (1 to 80)', parse.integer(1, 80), 10)
    .option(
      '--pairs <N>',
      'of them that talk, each with one on another host (1 to 80)',
      parse.integer(1, 80),
      3,
    )
    .option('--json', 'all figures, for programs', false)
    .action(async (named: readonly Blueprint[], { guests, pairs, json }: CompareFlags) => {
      const blueprints = named.length === 0 ? BLUEPRINTS : named;
      if (pairs > guests) throw new UsageError(`${pairs} pairs need as many guests on every host`);
      const all: Figures[] = [];
      if (!json) say(heading());
      for (const blueprint of blueprints) {
        const figures = await measure(blueprint, { guests, pairs });
        all.push(figures);
        if (!json) say(row(figures));
      }
      if (json) sayJson(all);
      else say(LEGEND);
      const wrong = all.filter(({ exact }) => !exact).map((figures) => figures.lab);
      if (wrong.length > 0) throw new RuntimeFailure(`tables that are not exact: ${wrong.join(', ')}`);
    });
}

/** Collects what is named. */
function labsNamed(name: string, before: readonly Blueprint[] = []): readonly Blueprint[] {
  const blueprint = blueprintNamed(name);
  if (blueprint === undefined)
    throw new InvalidArgumentError(`Labs are ${BLUEPRINTS.map((one) => one.name).join(', ')}.`);
  return [...before, blueprint];
}

function clean(name: string | undefined): void {
  const labs = KeptLab.all().filter((lab) => name === undefined || lab.name === name);
  if (name !== undefined && labs.length === 0) throw new UsageError(`no lab '${name}' was left up`);
  for (const lab of labs) lab.clean();
  say(labs.length === 0 ? 'nothing was left up\n' : `took down ${labs.map((lab) => lab.name).join(', ')}\n`);
}

/** `missd lab`: real multi-host topologies in network namespaces. */
import { Command } from 'commander';
import { UsageError } from '../errors.ts';
import { BLUEPRINTS, type Blueprint } from '../lab/blueprint.ts';
import { demo } from '../lab/demo.ts';
import { KeptLab } from '../lab/kept-lab.ts';
import { Story } from '../lab/story.ts';
import { assertGood, tour } from '../lab/tour.ts';
import { columns, say, sayJson } from './output.ts';

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
  commands: boolean;
  json: boolean;
}

function tourCommand(blueprint: Blueprint): Command {
  return new Command(blueprint.name)
    .summary(blueprint.summary)
    .description(blueprint.about)
    .option('--keep [NAME]', 'leave it up, and say how to enter it and how to take it down')
    .option('--commands', 'show every command that makes the network', false)
    .option('--json', 'what was seen, for programs', false)
    .action(async ({ keep, commands, json }: TourFlags) => {
      const keepAs = keep === true ? blueprint.name : keep;
      const seen = await tour(blueprint, json ? Story.untold() : new Story(), { keepAs, commands });
      if (json) sayJson(seen);
      assertGood(seen);
    });
}

function clean(name: string | undefined): void {
  const labs = KeptLab.all().filter((lab) => name === undefined || lab.name === name);
  if (name !== undefined && labs.length === 0) throw new UsageError(`no lab '${name}' was left up`);
  for (const lab of labs) lab.clean();
  say(labs.length === 0 ? 'nothing was left up\n' : `took down ${labs.map((lab) => lab.name).join(', ')}\n`);
}

/** `missd lab`: real multi-host topologies in network namespaces. */
import { Command } from 'commander';
import { demo } from '../lab/demo.ts';

export function labCommand(): Command {
  const lab = new Command('lab').description(
    'real multi-host topologies in network namespaces of this machine',
  );
  lab
    .command('demo')
    .description(
      'two hosts, two guests, a Redis and two daemons: watch the first ping find its way (needs root)',
    )
    .option('--commands', 'show every command that makes the network', false)
    .action(demo);
  return lab;
}

/** A whole daemon on a fake kernel and a fake directory. */
import { Command } from 'commander';
import { pino } from 'pino';
import { type RunOptions, declare, resolve } from '../../../src/config/options.ts';
import { Daemon } from '../../../src/daemon/daemon.ts';
import { FakeDirectory } from './directory.ts';
import { FakeKernel } from './kernel.ts';

/** @param flags of `missd run` */
export function daemonOnFakes(
  kernel = new FakeKernel(),
  directory = new FakeDirectory(),
  flags: readonly string[] = [],
): Daemon {
  return new Daemon(optionsOf(flags), kernel, directory, pino({ enabled: false }));
}

/** @param flags of `missd run` */
export function optionsOf(flags: readonly string[]): RunOptions {
  const command = declare(new Command('run'), 'run').action(() => undefined);
  command.parse(flags, { from: 'user' });
  return resolve(command, 'run');
}

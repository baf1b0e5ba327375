import { Command } from 'commander';
import { type TablesOptions, declare, resolve } from '../config/options.ts';
import { RuntimeFailure, reasonOf } from '../errors.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { LinuxKernel } from '../kernel/linux.ts';
import { type Flushed, flush } from '../tables/flush.ts';

export function flushCommand(): Command {
  const command = declare(new Command('flush'), 'tables')
    .summary("remove missd's own entries")
    .description(
      "Removes the neighbours and FDB entries that missd wrote, whether a daemon runs or not. Everybody else's stay.\n" +
        'A running daemon writes again what is asked for.',
    )
    .option('--json', 'print what was removed as JSON')
    .addHelpText('after', '\nExample:\n  missd flush --netns blue --device vxlan100');
  return command.action(async () => {
    const { netns, device } = resolve(command, 'tables') satisfies TablesOptions;
    const kernel = new LinuxKernel();
    const removed: Flushed[] = [];
    for (const path of netns.length === 0 ? [null] : netns) {
      try {
        removed.push(...(await flushIn(kernel, path, device)));
      } catch (error) {
        throw new RuntimeFailure(`${path ?? 'own namespace'}: ${reasonOf(error)}`, { cause: error });
      }
    }
    const missing = device.filter((name) => !removed.some((one) => one.device === name));
    if (missing.length > 0) throw new RuntimeFailure(`no VXLAN device named ${missing.join(', ')}`);
    if (command.opts<{ json?: boolean }>().json === true)
      process.stdout.write(`${JSON.stringify(removed)}\n`);
    else for (const one of removed) process.stdout.write(`${one.device}: ${told(one)} removed\n`);
  });
}

const told = ({ neighbours, fdb, routes }: Flushed): string =>
  [`${neighbours} neighbours`, `${fdb} FDB entries`, ...(routes === 0 ? [] : [`${routes} routes`])].join(
    ', ',
  );

async function flushIn(kernel: Kernel, path: string | null, device: readonly string[]): Promise<Flushed[]> {
  const namespace = kernel.open(path, { receiveBuffer: 0 });
  const open = namespace.events$.subscribe();
  try {
    return await flush(namespace, device);
  } finally {
    open.unsubscribe();
  }
}

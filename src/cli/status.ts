import { Command } from 'commander';
import { type ListenOptions, declare, resolve } from '../config/options.ts';
import { RuntimeFailure, reasonOf } from '../errors.ts';
import type { Status } from '../http/status.ts';
import { paletteFor } from '../screen/palette.ts';
import { say } from '../screen/say.ts';
import { duration } from '../screen/span.ts';

/** A daemon that does not answer by then is not well, ms. */
const TIMEOUT = 2_000;

export function statusCommand(): Command {
  const command = declare(new Command('status'), 'listen')
    .summary('what a running daemon is doing')
    .description(
      'Asks the daemon on this host what it serves and how it fares.\nExit code 1 when none answers.',
    )
    .option('--json', 'the daemon’s /status as it is')
    .addHelpText('after', '\nExample:\n  missd status --listen 127.0.0.1:9847');
  return command.action(async () => {
    const { listen } = resolve(command, 'listen') satisfies ListenOptions;
    const host = listen.host.includes(':') ? `[${listen.host}]` : listen.host;
    const status = await fetchStatus(`http://${host}:${listen.port}/status`);
    const json = command.opts<{ json?: boolean }>().json === true;
    say(json ? `${JSON.stringify(status, null, 2)}\n` : render(status));
  });
}

async function fetchStatus(url: string): Promise<Status> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT) });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    return (await response.json()) as Status;
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? `: ${reasonOf(error.cause)}` : '';
    throw new RuntimeFailure(`no daemon answers at ${url}: ${reasonOf(error)}${cause}`, { cause: error });
  }
}

function render(status: Status): string {
  const pc = paletteFor(process.stdout);
  const lines: string[] = [];
  const state = status.ready ? pc.green('ready') : pc.yellow(`not ready: ${status.missing.join('; ')}`);
  lines.push(`missd ${status.version}, pid ${status.pid}, up ${duration(status.uptime)}: ${state}`);
  const { directory } = status;
  lines.push(
    `directory  ${directory.up ? pc.green('up') : pc.red(`down for ${duration(directory.forSeconds)}: ${directory.reason ?? ''}`)}`,
  );
  const { l2 = {}, l3 = {} } = status.resolutions;
  lines.push(
    `misses     L3 ${status.misses['l3'] ?? 0}, L2 ${status.misses['l2'] ?? 0}, in flight ${status.inFlight}`,
  );
  lines.push(`answered   L3 ${counts(l3)}`, `           L2 ${counts(l2)}`);
  lines.push(`ignored    ${counts(status.ignored)}`, `told       ${counts(status.announcements)}`);
  lines.push(`conflicts  ${counts(status.conflicts)}`, `overruns   ${counts(status.overruns)}`);
  if (status.devices.length === 0) lines.push(pc.yellow('no VXLAN device is served'));
  for (const one of status.devices) {
    const what = `${one.name}@${one.namespace}`.padEnd(26);
    const entries = `${one.neighbours} neighbours, ${one.fdb} FDB entries, ${one.absent} absent`;
    lines.push(
      `${what} VNI ${String(one.vni).padEnd(8)} ${one.up ? one.topology : pc.red('down')}  ${entries}`,
    );
  }
  return `${lines.join('\n')}\n`;
}

/** Only what happened. */
const counts = (of: Record<string, number>): string => {
  const some = Object.entries(of).filter(([, count]) => count > 0);
  return some.length === 0 ? '-' : some.map(([name, count]) => `${name} ${count}`).join(', ');
};

import { Command } from 'commander';
import { leaveJoined } from './control-client.ts';
import { declare, resolve } from '../config/options.ts';
import { networkName } from '../config/parse.ts';
import type { LeftNetwork } from '../daemon/control-server.ts';
import { RuntimeFailure, reasonOf } from '../base/errors.ts';
import { leave } from '../join/leave.ts';
import { siteOf } from '../join/site.ts';
import { say, sayJson } from '../screen/say.ts';

export function leaveCommand(): Command {
  const command = declare(new Command('leave'), 'leave')
    .argument('<network>', 'its name', networkName)
    .summary('take away what run --join made on this host')
    .description(
      'Removes the device, the bridge and the rules that missd made for a network, whether a daemon runs or not, and gives\n' +
        'back what the directory has of this host there. Ports of the bridge stay, without a bridge. What missd did not make\n' +
        'stays. A daemon that is started with --join NETWORK again joins again.',
    )
    .option('--json', 'print what was removed as JSON')
    .addHelpText('after', '\nExample:\n  missd leave blue');
  return command.action(async (network: string) => {
    const options = resolve(command, 'leave');
    const left = await leaveJoined(options.stateDir, network);
    if (left.length === 0) left.push(await leaveAlone(network, options));
    if (command.opts<{ json?: boolean }>().json === true) sayJson(left);
    else for (const one of left) say(told(network, one));
  });
}

type LeaveOptions = ReturnType<typeof resolve<'leave'>>;

/** No daemon has joined it. */
async function leaveAlone(network: string, options: LeaveOptions): Promise<LeftNetwork> {
  const { site } = siteOf({ ...options, join: [network], local: [] });
  const { underlay, networks } = site;
  try {
    return await leave(network, new Set([networks, underlay]), networks === underlay ? null : networks);
  } catch (error) {
    throw new RuntimeFailure(`network ${network}: ${reasonOf(error)}`, { cause: error });
  }
}

function told(network: string, { removed, foreign, notReleased }: LeftNetwork): string {
  const lines = [`network ${network}: ${removed.length === 0 ? 'nothing' : removed.join(', ')} removed`];
  if (foreign.length > 0) lines.push(`${foreign.join(', ')} stays: missd did not make it`);
  if (notReleased !== undefined) lines.push(`the directory still has this host in it: ${notReleased}`);
  return lines.map((line) => `${line}\n`).join('');
}

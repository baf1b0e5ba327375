import { Command } from 'commander';
import { TimeoutError, filter, firstValueFrom, timeout } from 'rxjs';
import { leaveJoined } from './control-client.ts';
import { declare, resolve } from '../config/options.ts';
import { networkName } from '../config/parse.ts';
import type { LeftNetwork } from '../daemon/control-server.ts';
import { RuntimeFailure, UsageError, reasonOf } from '../base/errors.ts';
import { openLog } from '../base/log.ts';
import { deviceName } from '../directory/network.ts';
import { openDirectory } from '../directory/open.ts';
import type { Site } from '../join/establish.ts';
import { leave } from '../join/leave.ts';
import { readScene } from '../join/scene.ts';
import { inodeOf, siteOf } from '../join/site.ts';
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
    const { site } = siteOf({ ...options, join: [network], local: [] });
    const left = await leaveIn(network, site, options);
    if (command.opts<{ json?: boolean }>().json === true) sayJson(left);
    else for (const one of left) say(told(network, one));
  });
}

type LeaveOptions = ReturnType<typeof resolve<'leave'>>;

async function leaveIn(network: string, site: Site, options: LeaveOptions): Promise<LeftNetwork[]> {
  try {
    const left = await leaveJoined(options.stateDir, { namespace: inodeOf(site.underlay), network });
    return left.length > 0 ? left : [await leaveAlone(network, site, options)];
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new RuntimeFailure(`network ${network}: ${reasonOf(error)}`, { cause: error });
  }
}

/** No daemon has joined it. What the directory has of this host ends with the lease of the host, but for a prefix. */
async function leaveAlone(network: string, site: Site, options: LeaveOptions): Promise<LeftNetwork> {
  const { underlay, networks } = site;
  const scene = await readScene(networks).catch(() => undefined);
  const vtep = scene?.get(deviceName({ name: network }))?.vxlan?.local;
  const id = options.hostId ?? vtep;
  const released = id === undefined ? {} : await releasePrefix(network, id, options);
  const left = await leave(network, new Set([networks, underlay]), networks === underlay ? null : networks);
  return { ...left, ...released };
}

/** How long an answer of the directory is waited for, ms. */
const PATIENCE = 5_000;

async function releasePrefix(
  name: string,
  id: string,
  options: LeaveOptions,
): Promise<Pick<LeftNetwork, 'notReleased'>> {
  const directory = await openDirectory(options, () => undefined, openLog({ logLevel: 'silent' }));
  try {
    directory.start();
    const up$ = directory.state$.pipe(
      filter(({ up }) => up),
      timeout(PATIENCE),
    );
    await firstValueFrom(up$, { defaultValue: undefined });
    const network = await directory.network(name);
    if (network?.mode === 'routed') await directory.prefixes.release(network, id);
    return {};
  } catch (error) {
    return { notReleased: error instanceof TimeoutError ? 'the directory does not answer' : reasonOf(error) };
  } finally {
    await directory.close();
  }
}

function told(network: string, { removed, foreign, notReleased }: LeftNetwork): string {
  const lines = [`network ${network}: ${removed.length === 0 ? 'nothing' : removed.join(', ')} removed`];
  if (foreign.length > 0) lines.push(`${foreign.join(', ')} stays: missd did not make it`);
  if (notReleased !== undefined) lines.push(`the directory still has this host in it: ${notReleased}`);
  return lines.map((line) => `${line}\n`).join('');
}

import { say, sayJson } from '../screen/say.ts';
import { Command } from 'commander';
import { type FlushOptions, declare, resolve } from '../config/options.ts';
import { flushServed } from './control-client.ts';
import { RuntimeFailure, UsageError, reasonOf } from '../base/errors.ts';
import type { Kernel, Namespace } from '../kernel/kernel.ts';
import { holdersIn, servesAnything } from '../links/device-lock.ts';
import { LinuxKernel } from '../kernel/linux.ts';
import { isVxlan, isWanted, refusal } from '../links/servable.ts';
import { type Flushed, flush, journalEvidence } from '../entries/flush.ts';
import { readJournalOf, settingsOf } from '../entries/journals.ts';

/** @property settings what is again as it was before missd set it; absent where there is nothing */
type FlushedDevice = Flushed & { settings?: string[] };

/** Which devices, and how much of them. */
type Meant = Pick<FlushOptions, 'device' | 'stateDir'> & { all: boolean };

export function flushCommand(): Command {
  const command = declare(new Command('flush'), 'tables')
    .summary("remove missd's own entries")
    .description(
      'Removes the neighbours and FDB entries that missd wrote from the devices that it would serve, whether a daemon\n' +
        'runs or not. Foreign entries stay, also those with the same flags. A running daemon writes an entry again at the\n' +
        'next miss. Where no daemon runs, flush sets mcast_router and app_solicit back to their values before missd.',
    )
    .option(
      '--all-extern-learn',
      'with --device: every extern_learn FDB entry of the device, also those of other control planes',
    )
    .option('--json', 'print what was removed as JSON')
    .addHelpText('after', '\nExample:\n  missd flush --netns blue --device vxlan100');
  return command.action(async () => {
    const { netns, device, stateDir } = resolve(command, 'tables') satisfies FlushOptions;
    const all = command.opts<{ allExternLearn?: boolean }>().allExternLearn === true;
    if (all && device.length === 0) throw new UsageError('--all-extern-learn needs --device');
    const kernel = new LinuxKernel();
    const removed: FlushedDevice[] = [];
    for (const path of netns.length === 0 ? [null] : netns) {
      try {
        removed.push(...(await flushIn(kernel, path, { device, stateDir, all })));
      } catch (error) {
        throw new RuntimeFailure(`${path ?? 'own namespace'}: ${reasonOf(error)}`, { cause: error });
      }
    }
    const missing = device.filter((name) => !removed.some((one) => one.device === name));
    if (missing.length > 0) throw new RuntimeFailure(`no VXLAN device named ${missing.join(', ')}`);
    if (command.opts<{ json?: boolean }>().json === true) sayJson(removed);
    else
      for (const one of removed)
        say(`${one.device}: ${told(one)} removed${stayed(one)}${undone(one)}
`);
  });
}

const told = ({ neighbours, fdb, routes }: Flushed): string =>
  [`${neighbours} neighbours`, `${fdb} FDB entries`, ...(routes === 0 ? [] : [`${routes} routes`])].join(
    ', ',
  );

/** Said only where there are some. */
const stayed = ({ foreign }: Flushed): string =>
  foreign === 0 ? '' : `; ${foreign} FDB entries of other owners stay`;

const undone = ({ settings = [] }: FlushedDevice): string => settings.map((one) => `; ${one} again`).join('');

async function flushIn(
  kernel: Kernel,
  path: string | null,
  { device: names, stateDir, all }: Meant,
): Promise<FlushedDevice[]> {
  const namespace = kernel.open(path, { receiveBuffer: 0 });
  const open = namespace.events$.subscribe();
  try {
    const asked = { namespace: namespace.inode, devices: [...names], all };
    const flushed: FlushedDevice[] = await flushServed(stateDir, asked);
    // A daemon that does not answer still serves and needs its settings.
    const unserved = !servesAnything(holdersIn(namespace));
    const links = new Map((await namespace.links()).map((link) => [link.ifindex, link]));
    for (const link of links.values()) {
      if (!isVxlan(link) || flushed.some(({ device }) => device === link.name)) continue;
      if (names.length > 0 && !names.includes(link.name)) continue;
      const journal = readJournalOf(stateDir, { namespace: namespace.inode, link });
      const served = isWanted(link, names) && refusal(link, links) === undefined;
      // One that is written ahead (--strategy) needs no misses; that missd has served it its journal says.
      if (!served && journal === undefined) continue;
      const one: FlushedDevice = await flush(namespace, link, journalEvidence(journal, all));
      const settings = unserved
        ? settingsOf(stateDir, { namespace: namespace.inode, link }).undo(namespace, link)
        : [];
      flushed.push({ ...one, ...(settings.length > 0 ? { settings } : {}) });
    }
    if (unserved) await removeLeftovers(namespace);
    return flushed;
  } finally {
    open.unsubscribe();
  }
}

/** Tables of nftables that a killed daemon left: they would go at the next start. */
async function removeLeftovers(namespace: Namespace): Promise<void> {
  const nothing = { devices: [], groups: [], rate: 1, portRate: 1 };
  // Without nftables there is nothing to remove.
  await Promise.allSettled([
    namespace.throttle([], 1),
    namespace.limitBroadcasts(nothing),
    namespace.silenceDad([]),
  ]);
}

import { Command } from 'commander';
import { directoryWords, listenWords } from '../config/again.ts';
import { type ExplainOptions, declare, resolve } from '../config/options.ts';
import * as parse from '../config/parse.ts';
import { RuntimeFailure, reasonOf } from '../base/errors.ts';
import { type Explanation, explain } from '../explain/explain.ts';
import { gather } from '../explain/gather.ts';
import { type Opened, devicesOf } from '../explain/read-device.ts';
import { screen } from '../explain/screen.ts';
import type { Status } from '../observe/http/status.ts';
import { LinuxKernel } from '../kernel/linux.ts';
import { paletteFor } from '../screen/palette.ts';
import { say, sayJson } from '../screen/say.ts';
import { followGiven } from '../config/given.ts';
import type { Vni } from '../base/vocabulary.ts';
import { addressArgument } from './arguments.ts';

const EXAMPLE = `
Examples:
  missd explain 100 20.0.0.2
  missd explain 100 20.0.0.2 --from guest1 --netns host1 --redis redis://10.0.0.5:6379
  missd explain 100 02:42:14:00:00:02

Exit code: 0 if it works or no fault is found, 1 if something is broken, 2 for invalid usage.`;

/** Wider lines are harder to read, not easier. */
const WIDEST = 120;

export function explainCommand(): Command {
  const command = declare(new Command('explain'), 'explain')
    .summary('why an address can be reached from here, or why not')
    .description(
      'Follows one address from its record to the wire: the record, the daemon’s memory, the entries ' +
        'in the kernel, and whether packets of full size reach its host. Ends in one verdict and the command to ' +
        'type next. Writes nothing; works without a daemon, without a directory, and on devices that missd does not ' +
        'serve. --from pings from inside of a guest, which proves it.',
    )
    .argument('<vni>', '1 to 16777215', parse.vni)
    .argument('<address>', 'IP or MAC', addressArgument)
    .option('--from <netns>', 'name or path of a guest’s namespace, to ping from', parse.netns)
    .option('--json', 'print everything found as JSON')
    .addHelpText('after', EXAMPLE);
  const given = followGiven(command);
  return command.action(async (vni: Vni, address: string) => {
    const options: ExplainOptions = resolve(command, 'explain');
    const { from, json = false } = command.opts<{ from?: string; json?: boolean }>();
    const byDefault = options.directory === undefined && command.getOptionValueSource('redis') === 'default';
    const asked = isMac(address) ? { mac: address } : { ip: address };
    const explanations: Explanation[] = [];
    for (const path of options.netns.length === 0 ? [null] : options.netns)
      await opened(path, async (namespace) => {
        for (const link of devicesOf(namespace.links.values(), vni, options.device)) {
          const words = { directory: directoryWords(command, given), listen: listenWords(command, given) };
          const more = { byDefault, given: words, ...(from !== undefined && { from }) };
          explanations.push(explain(await gather(namespace, link, vni, asked, { ...options, ...more })));
        }
      });
    if (explanations.length === 0) throw new RuntimeFailure(await notHere(vni, options));
    if (json) sayJson(explanations);
    else say(explanations.map((one) => render(one)).join('\n'));
    if (explanations.some(({ verdict }) => !verdict.works)) process.exitCode = 1;
  });
}

const isMac = (address: string): boolean => /^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(address);

function render(explanation: Explanation): string {
  const { isTTY, columns } = process.stdout;
  return screen(explanation, paletteFor(process.stdout), isTTY ? Math.min(columns, WIDEST) : Infinity);
}

async function opened(path: string | null, act: (namespace: Opened) => Promise<void>): Promise<void> {
  let kernel;
  try {
    kernel = new LinuxKernel().open(path, { receiveBuffer: 0 });
  } catch (error) {
    throw new RuntimeFailure(`${path ?? 'own namespace'}: ${reasonOf(error)}`, { cause: error });
  }
  const open = kernel.events$.subscribe();
  try {
    const links = new Map((await kernel.links()).map((link) => [link.ifindex, link]));
    await act({ path, kernel, links });
  } finally {
    open.unsubscribe();
  }
}

/** No device of the VNI here; perhaps the daemon knows where. */
async function notHere(vni: Vni, { netns, device, listen }: ExplainOptions): Promise<string> {
  const where =
    netns.length === 0 ? 'this namespace' : netns.map((path) => path.split('/').at(-1)).join(', ');
  const named = device.length === 0 ? '' : ` named ${device.join(' or ')}`;
  const host = listen.host.includes(':') ? `[${listen.host}]` : listen.host;
  const answer = await fetch(`http://${host}:${listen.port}/status`, { signal: AbortSignal.timeout(1_000) })
    .then((response) => response.json() as Promise<Status>)
    .catch(() => undefined);
  const known = answer?.devices.find((one) => one.vni === vni);
  const hint = known === undefined ? '' : `; missd serves ${known.name} of it: --netns ${known.namespace}`;
  return `VNI ${vni} is on no VXLAN device${named} of ${where}${hint}`;
}

import { Command, Option } from 'commander';
import { UsageError } from '../base/errors.ts';
import { declare } from '../config/options.ts';
import * as parse from '../config/parse.ts';
import { type NetworkInput, makeNetwork, parseNetwork } from '../directory/network-schema.ts';
import {
  LEASE_BOUNDS,
  MODES,
  MTU_BOUNDS,
  PORTS_LIMIT_BOUNDS,
  PUBLISHING,
  USUAL_LEASE,
  USUAL_PORTS_LIMIT,
  VXLAN_PORT,
} from '../directory/network.ts';
import { removeNetwork } from '../directory/redis/network-removal.ts';
import {
  createNetwork,
  type ListedNetwork,
  listHosts,
  listNetworks,
  listPrefixes,
  storedNetwork,
} from '../directory/redis/network-writes.ts';
import { columns } from '../screen/columns.ts';
import { say, sayJson } from '../screen/say.ts';
import { widthOf } from '../screen/size.ts';
import { cidrArgument, ipArgument, networkName } from './arguments.ts';
import { reserveCommand, unreserveCommand } from './network-reserve.ts';
import { networkText } from './network-text.ts';
import { withRedis } from './redis.ts';

const EXAMPLE = `
Example:
  missd network create blue --vni 100 --mode bridged --subnet 20.0.0.0/16
  missd network show blue`;

export function networkCommand(): Command {
  return new Command('network')
    .summary('networks: what a host needs to know to join one')
    .description(
      'Networks in the Redis directory: a VNI with a name, its subnet, and what hosts that join it agree on. ' +
        'missd run --join makes device, bridge and route of a network.',
    )
    .addHelpText('after', EXAMPLE)
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(removeCommand())
    .addCommand(reserveCommand())
    .addCommand(unreserveCommand());
}

const mtu = (text: string): number | 'auto' => (text === 'auto' ? text : parse.integer(...MTU_BOUNDS)(text));

function createCommand(): Command {
  const command = new Command('create')
    .summary('creates a network')
    .description(
      'Creates a network. Of several that create one name or one VNI at once, one succeeds. A network is not changed ' +
        'afterwards, because hosts act on it.',
    )
    .argument('<name>', 'a letter and at most 11 letters, digits and dashes, lower case', networkName)
    .addOption(new Option('--vni <vni>', '1 to 16777215').argParser(parse.vni).makeOptionMandatory())
    .addOption(
      new Option('--mode <mode>', 'bridged: one L2 segment; routed: each host routes a prefix of its own')
        .choices(MODES)
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--subnet <cidr>', 'addresses of the guests').argParser(cidrArgument).makeOptionMandatory(),
    )
    .option('--subnet6 <cidr>', 'IPv6 addresses beside an IPv4 subnet; bridged only', cidrArgument)
    .option(
      '--lease-length <n>',
      'length of the prefix that a host acquires; routed only (default: 24, 64 for IPv6)',
      parse.integer(1, 128),
    )
    .option('--port <port>', 'UDP port of the VXLAN devices', parse.integer(1, 65_535), VXLAN_PORT)
    .option(
      '--mtu <mtu>',
      `of the guests' devices, ${MTU_BOUNDS.join(' to ')}; auto: what the underlay leaves`,
      mtu,
      'auto',
    )
    .option('--gateway <ip>', "address of every host's bridge; bridged only (default: none)", ipArgument)
    .addOption(
      new Option(
        '--publish <who>',
        "who publishes local guests: missd from their traffic (learned), a container driver (attached), or a program of the operator's (none)",
      )
        .choices(PUBLISHING)
        .default('learned'),
    )
    .option(
      '--lease <s>',
      `how long the records of a host outlive it (${LEASE_BOUNDS.join(' to ')})`,
      parse.seconds(...LEASE_BOUNDS),
      USUAL_LEASE,
    )
    .option(
      '--ports-limit <n>',
      `addresses that one bridge port may publish (${PORTS_LIMIT_BOUNDS.join(' to ')})`,
      parse.integer(...PORTS_LIMIT_BOUNDS),
      USUAL_PORTS_LIMIT,
    )
    .option(
      '--anycast <ip>',
      'address that several hosts have, never published; repeatable',
      parse.list(ipArgument),
    )
    .option('--json', 'print the network as JSON')
    .addHelpText(
      'after',
      '\nExample:\n  missd network create green --vni 200 --mode routed --subnet 10.20.0.0/16 --lease-length 24',
    );
  return declare(command, 'directory').action(async (name: string) => {
    const { json, ...options } = command.opts<Omit<NetworkInput, 'name'> & { json?: boolean }>();
    if (options.mode === 'bridged' && options.leaseLength !== undefined)
      throw new UsageError('--lease-length is for routed networks');
    const network = makeNetwork({ ...options, name });
    await withRedis(command, (redis) => createNetwork(redis, network));
    if (json === true) sayJson(network);
    else say(`network ${name}: VNI ${network.vni}, ${network.mode}, ${network.subnet}\n`);
  });
}

function listCommand(): Command {
  const command = new Command('ls')
    .summary('lists networks')
    .description(
      'Lists the networks, also those that are malformed. Afterwards the index by name says what the records say.',
    )
    .option('--json', 'print them as JSON')
    .addHelpText('after', '\nExample:\n  missd network ls');
  return declare(command, 'directory').action(async () => {
    const listed = await withRedis(command, listNetworks);
    if (command.opts<{ json?: boolean }>().json === true)
      sayJson(listed.map((one) => ('network' in one ? { ...one.network, hosts: one.hosts } : one)));
    else {
      const head = ['NAME', 'VNI', 'MODE', 'SUBNET', 'PUBLISH', 'HOSTS', 'NOTES'];
      say(columns(head, listed.map(row), widthOf(process.stdout)));
    }
  });
}

function row(one: ListedNetwork): string[] {
  if (!('network' in one)) return [one.name ?? '-', String(one.vni), '-', '-', '-', '-', one.malformed];
  const { name, vni, mode, subnet, subnet6, publish } = one.network;
  return [name, String(vni), mode, subnet, publish, String(one.hosts), subnet6 ?? ''];
}

function showCommand(): Command {
  const command = new Command('show')
    .summary('shows a network, its hosts and prefixes')
    .description('Shows what a network says, which hosts are joined, and to whom its prefixes are assigned.')
    .argument('<name>', 'of the network', networkName)
    .option('--json', 'print it as JSON')
    .addHelpText('after', '\nExample:\n  missd network show blue');
  return declare(command, 'directory').action(async (name: string) => {
    const shown = await withRedis(command, async (redis) => {
      const { value, vni } = await storedNetwork(redis, name);
      const network = parseNetwork(value, vni);
      return { network, hosts: await listHosts(redis, vni), prefixes: await listPrefixes(redis, vni) };
    });
    const { network, ...rest } = shown;
    if (command.opts<{ json?: boolean }>().json === true) sayJson({ ...network, ...rest });
    else say(networkText(shown, widthOf(process.stdout)));
  });
}

function removeCommand(): Command {
  const command = new Command('rm')
    .summary('removes a network')
    .description(
      'Removes a network that no host is joined to, with the records that ended hosts left. Records that were written by ' +
        'hand stay.',
    )
    .argument('<name>', 'of the network', networkName)
    .option('--json', 'print what was removed as JSON')
    .addHelpText('after', '\nExample:\n  missd network rm blue');
  return declare(command, 'directory').action(async (name: string) => {
    const removed = await withRedis(command, (redis) => removeNetwork(redis, name));
    if (command.opts<{ json?: boolean }>().json === true) sayJson({ name, ...removed });
    else say(`removed network ${name} (VNI ${removed.vni}) and ${removed.records} records of its hosts\n`);
  });
}

import { Command } from 'commander';
import { declare } from '../config/options.ts';
import * as parse from '../config/parse.ts';
import { type ListedSubnet, listSubnets, removeSubnet, setSubnet } from '../directory/redis/subnets.ts';
import { RuntimeFailure } from '../base/errors.ts';
import type { Ip, Mac, Vni } from '../base/vocabulary.ts';
import { cidrArgument, macArgument, vtepArgument } from './arguments.ts';
import { columns } from '../screen/columns.ts';
import { say, sayJson } from '../screen/say.ts';
import { widthOf } from '../screen/size.ts';
import { withRedis } from './redis.ts';

const EXAMPLE = `
Example:
  missd subnet set 100 10.20.2.0/24 02:f0:00:00:00:02 10.99.0.2
  missd subnet ls 100`;

export function subnetCommand(): Command {
  return new Command('subnet')
    .summary('subnet leases: which host routes a whole prefix')
    .description(
      'Subnet leases in the Redis directory, as Flannel has them: every address of a prefix is behind one host. ' +
        'The longest prefix wins, and an endpoint record wins over any lease.',
    )
    .addHelpText('after', EXAMPLE)
    .addCommand(setCommand())
    .addCommand(removeCommand())
    .addCommand(listCommand());
}

function setCommand(): Command {
  const command = new Command('set')
    .summary('records which host a prefix is behind')
    .description('Writes the lease and puts it in the set of leases, in one transaction.')
    .argument('<vni>', '1 to 16777215', parse.vni)
    .argument('<cidr>', 'the prefix', cidrArgument)
    .argument('<mac>', "MAC of the remote host's VXLAN device", macArgument)
    .argument('<vtep>', 'the host', vtepArgument)
    .option(
      '--ttl <s>',
      `the lease ends after this many seconds unless it is set again (0.001 to ${parse.YEAR})`,
      parse.seconds(0.001, parse.YEAR),
    )
    .option('--json', 'print what was set as JSON')
    .addHelpText(
      'after',
      '\nExample:\n  missd subnet set 100 10.20.2.0/24 02:f0:00:00:00:02 10.99.0.2 --ttl 3600',
    );
  return declare(command, 'directory').action(async (vni: Vni, cidr: string, mac: Mac, vtep: Ip) => {
    const { ttl, json } = command.opts<{ ttl?: number; json?: boolean }>();
    await withRedis(command, (redis) => setSubnet(redis, vni, { cidr, mac, vtep }, ttl));
    if (json === true) sayJson({ vni, cidr, mac, vtep, ...(ttl !== undefined && { ttl }) });
    else say(`VNI ${vni}: ${cidr} is behind ${mac} at ${vtep}\n`);
  });
}

function removeCommand(): Command {
  const command = new Command('rm')
    .summary('removes a lease')
    .description('Removes the lease and takes it out of the set of leases.')
    .argument('<vni>', '1 to 16777215', parse.vni)
    .argument('<cidr>', 'the prefix', cidrArgument)
    .option('--json', 'print whether there was one as JSON')
    .addHelpText('after', '\nExample:\n  missd subnet rm 100 10.20.2.0/24');
  return declare(command, 'directory').action(async (vni: Vni, cidr: string) => {
    const removed = await withRedis(command, (redis) => removeSubnet(redis, vni, cidr));
    if (command.opts<{ json?: boolean }>().json === true) sayJson({ vni, cidr, removed });
    else if (removed) say(`removed ${cidr} from VNI ${vni}\n`);
    if (!removed) throw new RuntimeFailure(`VNI ${vni} has no lease for ${cidr}`);
  });
}

function listCommand(): Command {
  const command = new Command('ls')
    .summary('lists leases')
    .description('Lists the leases of one VNI or of all, also those that are malformed and do not count.')
    .argument('[vni]', '1 to 16777215', parse.vni)
    .option('--json', 'print them as JSON')
    .addHelpText('after', '\nExample:\n  missd subnet ls');
  return declare(command, 'directory').action(async (vni?: Vni) => {
    const listed = await withRedis(command, (redis) => listSubnets(redis, vni));
    if (command.opts<{ json?: boolean }>().json === true) sayJson(listed);
    else
      say(columns(['VNI', 'CIDR', 'MAC', 'VTEP', 'TTL', 'NOTES'], listed.map(row), widthOf(process.stdout)));
  });
}

function row(one: ListedSubnet): string[] {
  return [
    String(one.vni),
    one.cidr,
    one.mac ?? '-',
    one.vtep ?? '-',
    one.ttl === undefined ? '-' : `${Math.ceil(one.ttl)}s`,
    one.malformed === undefined ? '' : `malformed (${one.malformed}): ${one.value ?? ''}`,
  ];
}

import { Command } from 'commander';
import { declare } from '../config/options.ts';
import * as parse from '../config/parse.ts';
import { readText } from '../base/read-text.ts';
import { parseRecords, renderRecords } from '../directory/format.ts';
import {
  type ListedEndpoint,
  listEndpoints,
  removeEndpoint,
  setEndpoint,
} from '../directory/redis/endpoints.ts';
import { exportRecords, importRecords } from '../directory/redis/import.ts';
import { RuntimeFailure, UsageError } from '../base/errors.ts';
import type { Ip, Mac, Vni } from '../base/vocabulary.ts';
import { ipArgument, macArgument, vtepArgument } from './arguments.ts';
import { columns } from '../screen/columns.ts';
import { say, sayJson } from '../screen/say.ts';
import { onOneLine } from '../screen/escape-controls.ts';
import { widthOf } from '../screen/size.ts';
import { withRedis } from './redis.ts';

const EXAMPLE = `
Example:
  missd endpoint set 100 20.0.0.2 02:42:14:00:00:02 10.99.0.2
  missd endpoint ls 100`;

export function endpointCommand(): Command {
  return new Command('endpoint')
    .summary('endpoint records: which MAC an IP has, and which VTEP that is behind')
    .description(
      'Endpoint records in the Redis directory: which MAC an IP has and which VTEP that MAC is behind. ' +
        'Every change reaches running daemons at once. Any other program may write the same keys.',
    )
    .addHelpText('after', EXAMPLE)
    .addCommand(setCommand())
    .addCommand(removeCommand())
    .addCommand(listCommand())
    .addCommand(importCommand())
    .addCommand(exportCommand());
}

function setCommand(): Command {
  const command = new Command('set')
    .summary('records where an IP is')
    .description(
      'Writes the ip: and the mac: record in one transaction. If the IP had another MAC before, and no other IP ' +
        'uses that MAC, its mac: record is removed.',
    )
    .argument('<vni>', '1 to 16777215', parse.vni)
    .argument('<ip>', "the guest's address", ipArgument)
    .argument('<mac>', "the guest's MAC", macArgument)
    .argument('<vtep>', 'the host it is on', vtepArgument)
    .option('--router', 'the guest is an IPv6 router')
    .option(
      '--ttl <s>',
      `the record ends after this many seconds unless it is set again (0.001 to ${parse.YEAR})`,
      parse.seconds(0.001, parse.YEAR),
    )
    .option('--json', 'print what was set as JSON')
    .addHelpText(
      'after',
      '\nExample:\n  missd endpoint set 100 20.0.0.2 02:42:14:00:00:02 10.99.0.2 --ttl 300',
    );
  return declare(command, 'directory').action(async (vni: Vni, ip: Ip, mac: Mac, vtep: Ip) => {
    const { router = false, ttl, json } = command.opts<{ router?: boolean; ttl?: number; json?: boolean }>();
    await withRedis(command, (redis) => setEndpoint(redis, vni, { ip, mac, vtep, router }, ttl));
    if (json === true) sayJson({ vni, ip, mac, vtep, router, ...(ttl !== undefined && { ttl }) });
    else say(`VNI ${vni}: ${ip} is ${mac} behind ${vtep}\n`);
  });
}

function removeCommand(): Command {
  const command = new Command('rm')
    .summary('removes the records of an IP')
    .description('Removes the ip: record, and the mac: record unless another IP of the VNI uses that MAC.')
    .argument('<vni>', '1 to 16777215', parse.vni)
    .argument('<ip>', "the guest's address", ipArgument)
    .option('--json', 'print the keys that were removed as JSON')
    .addHelpText('after', '\nExample:\n  missd endpoint rm 100 20.0.0.2');
  return declare(command, 'directory').action(async (vni: Vni, ip: Ip) => {
    const removed = await withRedis(command, (redis) => removeEndpoint(redis, vni, ip));
    if (command.opts<{ json?: boolean }>().json === true) sayJson({ vni, ip, removed });
    else if (removed.length > 0) say(removed.map((key) => `removed ${key}\n`).join(''));
    if (removed.length === 0) throw new RuntimeFailure(`VNI ${vni} has no endpoint ${ip}`);
  });
}

function listCommand(): Command {
  const command = new Command('ls')
    .summary('lists records')
    .description(
      'Lists the endpoint records of one VNI or of all, also those that are malformed and do not count.',
    )
    .argument('[vni]', '1 to 16777215', parse.vni)
    .option('--json', 'print them as JSON')
    .addHelpText('after', '\nExample:\n  missd endpoint ls 100');
  return declare(command, 'directory').action(async (vni?: Vni) => {
    const listed = await withRedis(command, (redis) => listEndpoints(redis, vni));
    if (command.opts<{ json?: boolean }>().json === true) sayJson(listed);
    else say(columns(['VNI', 'IP', 'MAC', 'VTEP', 'TTL', 'NOTES'], listed.map(row), widthOf(process.stdout)));
  });
}

function row(one: ListedEndpoint): string[] {
  const notes = [
    one.router === true ? 'router' : '',
    one.macVtep === undefined ? '' : `the mac: record says ${one.macVtep}`,
    one.malformed === undefined ? '' : `malformed (${one.malformed}): ${one.value ?? ''}`,
  ];
  return [
    String(one.vni),
    one.ip ?? '-',
    one.mac ?? '-',
    one.vtep ?? '-',
    one.ttl === undefined ? '-' : `${Math.ceil(one.ttl)}s`,
    notes.filter((note) => note !== '').join(', '),
  ];
}

function importCommand(): Command {
  const command = new Command('import')
    .summary('takes records from a YAML file')
    .description(
      'Writes the endpoints and subnets of the file, and keeps all other records. The format is that of --directory ' +
        'and of export. A file with a mistake changes nothing. Networks of the file are created, and never changed or removed.',
    )
    .argument('<file>', 'YAML file')
    .option(
      '--replace',
      'also remove the records that the file does not have, in its VNIs; records that hosts published stay',
    )
    .option(
      '--owned',
      'with --replace, remove records that hosts published, too; hosts put back those of their guests',
    )
    .addHelpText('after', '\nExample:\n  missd endpoint import endpoints.yaml --replace');
  return declare(command, 'directory').action(async (file: string) => {
    const records = parseRecords(readText(file), file);
    const { replace = false, owned = false } = command.opts<{ replace?: boolean; owned?: boolean }>();
    if (owned && !replace) throw new UsageError('--owned goes with --replace');
    const { networks, endpoints, subnets, removed } = await withRedis(command, (redis) =>
      importRecords(redis, records, replace ? (owned ? 'all' : 'unowned') : 'nothing'),
    );
    const created = networks === 0 ? '' : `${networks} networks created, `;
    say(
      `${created}${endpoints} endpoints and ${subnets} subnets in ${records.size} VNIs, ${removed} keys removed\n`,
    );
  });
}

/** As many are named one by one. */
const MOST_SKIPPED = 10;

function exportCommand(): Command {
  const command = new Command('export')
    .summary('prints the records as YAML')
    .description(
      'Prints the records of one VNI or of all, in the format that import and --directory take. A MAC ' +
        'without an address, leases of hosts and lifetimes have no place in the format; stderr names the records left out.',
    )
    .argument('[vni]', '1 to 16777215', parse.vni)
    .addHelpText('after', '\nExample:\n  missd endpoint export > endpoints.yaml');
  return declare(command, 'directory').action(async (vni?: Vni) => {
    const skipped: string[] = [];
    const records = await withRedis(command, (redis) =>
      exportRecords(redis, vni, (what) => skipped.push(what)),
    );
    say(renderRecords(records));
    for (const what of skipped.slice(0, MOST_SKIPPED))
      process.stderr.write(`missd: left out: ${onOneLine(what)}\n`);
    const more = skipped.length - MOST_SKIPPED;
    if (more > 0) process.stderr.write(`missd: left out: ${more} more\n`);
  });
}

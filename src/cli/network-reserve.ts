import { Command } from 'commander';
import { UsageError } from '../base/errors.ts';
import { declare } from '../config/options.ts';
import { refuseReservation } from '../directory/network.ts';
import { parseNetwork } from '../directory/network-schema.ts';
import { storedNetwork } from '../directory/redis/network-writes.ts';
import { reservePrefix, unreservePrefix } from '../directory/redis/reservations.ts';
import { say } from '../screen/say.ts';
import { cidrArgument, networkName } from './arguments.ts';
import { withRedis } from './redis.ts';

export function reserveCommand(): Command {
  const command = new Command('reserve')
    .summary('keeps a prefix of a routed network from acquisition')
    .description(
      'Reserves a prefix of a routed network: no host acquires it, except the host whose id is TEXT, which acquires it ' +
        'before any other.',
    )
    .argument('<name>', 'of the network', networkName)
    .argument('<cidr>', 'the prefix, as long as those that hosts acquire', cidrArgument)
    .option('--for <text>', 'id of a host, or why', '')
    .addHelpText('after', '\nExample:\n  missd network reserve green 10.20.2.0/24 --for host-b');
  return declare(command, 'directory').action(async (name: string, cidr: string) => {
    const one = { cidr, for: command.opts<{ for: string }>().for };
    await withRedis(command, async (redis) => {
      const { value, vni } = await storedNetwork(redis, name);
      const network = parseNetwork(value, vni);
      const reason = refuseReservation(network, one);
      if (reason !== undefined) throw new UsageError(reason);
      await reservePrefix(redis, network, one);
    });
    say(`network ${name}: ${cidr} is reserved${one.for === '' ? '' : ` for ${one.for}`}\n`);
  });
}

export function unreserveCommand(): Command {
  const command = new Command('unreserve')
    .summary('gives a reserved prefix back')
    .description('Gives a prefix back that was reserved, or that a host has whose lease has ended.')
    .argument('<name>', 'of the network', networkName)
    .argument('<cidr>', 'the prefix', cidrArgument)
    .addHelpText('after', '\nExample:\n  missd network unreserve green 10.20.2.0/24');
  return declare(command, 'directory').action(async (name: string, cidr: string) => {
    await withRedis(command, async (redis) => {
      const { value, vni } = await storedNetwork(redis, name);
      await unreservePrefix(redis, parseNetwork(value, vni), cidr);
    });
    say(`network ${name}: ${cidr} is free\n`);
  });
}

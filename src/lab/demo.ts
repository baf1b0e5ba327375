/**
 * The story that `missd lab demo` tells: guests on different hosts reach each other, and nothing was configured but
 * records in a directory. Everything in it is real: kernel, Redis, daemons, pings.
 */
import { RuntimeFailure } from '../base/errors.ts';
import { Daemon } from './daemon.ts';
import type { Guest } from './guest.ts';
import type { Host } from './host.ts';
import { Lab } from './lab.ts';
import type { Pinged } from './ping.ts';
import { addressRecords } from './records.ts';
import { RedisServer } from './redis-server.ts';
import { showTables } from './show-tables.ts';
import { ms } from '../screen/span.ts';
import { Story } from './story.ts';

const TOPOLOGY = `
 guest 1                                                  guest 2
 20.0.0.1  fd20::1                              20.0.0.2  fd20::2
    │                                                        │
 ┌──┴──────────────────────┐          ┌──────────────────────┴──┐
 │ br0 ── vxlan100 ── eth0 ├──────────┤ eth0 ── vxlan100 ── br0 │
 │ missd         10.99.0.1 │ underlay │ 10.99.0.2         missd │
 └─────────────── host 1 ──┘          └── host 2 ───────────────┘
`;

interface Served {
  host: Host;
  daemon: Daemon;
}

/** @throws RuntimeFailure when a ping was lost */
export async function demo({ commands }: { commands: boolean }): Promise<void> {
  const story = new Story();
  const lab = await Lab.open();
  try {
    await tell(story, lab, commands);
  } finally {
    await lab.close();
  }
}

async function tell(story: Story, lab: Lab, commands: boolean): Promise<void> {
  const pings: { first: boolean; pinged: Pinged }[] = [];
  const ping = async (from: Guest, to: string | undefined, count = 1): Promise<Pinged> => {
    const pinged = await from.ping(to ?? '', { count, interval: 0.05 });
    pings.push({ first: count === 1, pinged });
    story.command(`ip netns exec ${from.namespace.name} ping -c ${count} ${pinged.ip}`);
    const times = pinged.rtts.map((rtt) => ms(rtt)).join(', ');
    story.printed([`${pinged.received} of ${pinged.sent} answered${times === '' ? '' : `: ${times}`}`]);
    return pinged;
  };

  story.chapter('Two hosts on an underlay, one guest on each, one VXLAN between them');
  const redis = await RedisServer.start(lab);
  const serve = async (host: Host): Promise<Served> => {
    const options = { netns: [host.namespace.name], redis: redis.socket };
    return { host, daemon: await (await Daemon.start(lab, options)).ready() };
  };
  const [host1, host2] = [await lab.addHost(), await lab.addHost()];
  const [one, two] = await Promise.all([serve(host1), serve(host2)]);
  const [guest1, guest2] = [
    await host1.addGuest({ n: 1, dad: false }),
    await host2.addGuest({ n: 2, dad: false }),
  ];
  story.picture(TOPOLOGY);
  showCommands(story, lab, commands);

  story.chapter('The directory: a Redis, and one record per address');
  await publish(story, redis, guest1);
  await publish(story, redis, guest2);

  story.chapter('Host 1 knows nothing yet: no neighbour, no forwarding entry');
  await showTables(story, host1);

  story.chapter('The first ping, IPv4: a miss becomes a lookup, the lookup two entries');
  await explained(story, [one, two], () => ping(guest1, guest2.ip4));

  story.chapter('The first ping, IPv6: neighbour discovery takes the same way');
  await explained(story, [one, two], () => ping(guest1, guest2.ip6));

  story.chapter('What missd wrote on host 1');
  await showTables(story, host1);

  story.chapter('The packets after: the kernel forwards by itself, missd is not asked');
  await ping(guest1, guest2.ip4, 5);
  await ping(guest1, guest2.ip6, 5);

  story.chapter('A third host joins: nothing changes on the others but what they look up');
  const three = await serve(await lab.addHost());
  const guest3 = await three.host.addGuest({ n: 3, dad: false });
  await publish(story, redis, guest3);
  await explained(story, [one, three], () => ping(guest1, guest3.ip4));
  await ping(guest2, guest3.ip6);

  conclude(story, pings);
}

/** The commands that made the network: all of them, or those that matter. */
function showCommands(story: Story, lab: Lab, all: boolean): void {
  const said = all ? lab.transcript : lab.transcript.filter((command) => command.includes('type vxlan'));
  if (!all)
    story.say(
      `Made with ${lab.transcript.length} ip commands (--commands shows them), of which these matter:`,
    );
  for (const command of said) story.command(command);
}

async function publish(story: Story, redis: RedisServer, guest: Guest): Promise<void> {
  for (const [key, value] of addressRecords(guest)) {
    await redis.cli('set', key, value);
    story.command(`redis-cli set '${key}' '${value}'`);
  }
}

/** Does something, then tells from the daemons' own counters what it took. */
async function explained(
  story: Story,
  served: readonly Served[],
  act: () => Promise<unknown>,
): Promise<void> {
  const before = await Promise.all(served.map(({ daemon }) => daemon.metrics()));
  await act();
  for (const [index, { host, daemon }] of served.entries()) {
    const after = await daemon.metrics();
    const since = (name: string, labels?: Record<string, string>): number =>
      after.sum(name, labels) - (before[index]?.sum(name, labels) ?? 0);
    story.say(`host ${host.n}: ${timeline(since)}`);
  }
}

/** A counter's growth. */
type Since = (name: string, labels?: Record<string, string>) => number;

/**
 * How one miss was answered. The figures are those of resolutions, not of all lookups: some follow an answer, such as that
 * of a `mac:` record, and nobody waits for them.
 */
export function timeline(since: Since): string {
  const misses = since('missd_resolutions_total', { layer: 'l3', outcome: 'resolved' });
  const mean = (name: string, labels?: Record<string, string>): number =>
    since(`${name}_sum`, labels) / Math.max(1, since(`${name}_count`, labels));
  const resolution = mean('missd_resolution_seconds');
  const announced = since('missd_announcements_total', { outcome: 'sent' });
  // Means of different sets; a part is no longer than its whole.
  const lookup = Math.min(mean('missd_stage_seconds', { stage: 'lookup' }), resolution);
  return (
    `${misses} L3 miss${misses === 1 ? '' : 'es'} → Redis answered in ${ms(lookup * 1000)} → FDB entry and ` +
    `neighbour written ${ms(resolution * 1000)} after the miss → ${announced} announcement${announced === 1 ? '' : 's'} ` +
    'to the guest that asked'
  );
}

function conclude(story: Story, pings: readonly { first: boolean; pinged: Pinged }[]): void {
  const total = (of: (pinged: Pinged) => number): number =>
    pings.reduce((sum, { pinged }) => sum + of(pinged), 0);
  const [sent, received] = [total(({ sent }) => sent), total(({ received }) => received)];
  const firsts = pings.filter(({ first }) => first).flatMap(({ pinged }) => pinged.rtts);
  if (received < sent) throw new RuntimeFailure(`${sent - received} of ${sent} pings were lost`);
  story.good(
    `All ${sent} pings answered. First packets took ${ms(Math.min(...firsts))} to ${ms(Math.max(...firsts))}; a guest left to its own ` +
      'ARP retry waits about 1,020 ms. Nothing was configured but the records.',
  );
}

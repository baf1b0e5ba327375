/**
 * The story that `missd lab demo` tells: two hosts join a network, guests are plugged in, and reach each other. Nobody makes a
 * VXLAN device and nobody writes a record. Everything in it is real: kernel, Redis, daemons, pings.
 */
import { RuntimeFailure } from '../base/errors.ts';
import { printable, run } from './command.ts';
import { Daemon, MISSD } from './daemon.ts';
import type { Guest } from './guest.ts';
import type { Host } from './host.ts';
import { Lab } from './lab.ts';
import type { Pinged } from './ping.ts';
import { addressRecords } from './records.ts';
import { RedisServer } from './redis-server.ts';
import { showTables } from './show-tables.ts';
import { ms } from '../screen/span.ts';
import { Story } from './story.ts';
import { until } from './wait.ts';

const TOPOLOGY = `
 guest 1                                                  guest 2
 20.0.0.1  fd20::1                              20.0.0.2  fd20::2
    │                                                        │
 ┌──┴──────────────────────┐          ┌──────────────────────┴──┐
 │ br-blue ─ vx-blue ─ eth0├──────────┤eth0 ─ vx-blue ─ br-blue │
 │ missd         10.99.0.1 │ underlay │ 10.99.0.2         missd │
 └─────────────── host 1 ──┘          └── host 2 ───────────────┘
`;

const NETWORK = [
  ...['network', 'create', 'blue', '--vni', '100', '--mode', 'bridged'],
  ...['--subnet', '20.0.0.0/24', '--subnet6', 'fd20::/64'],
];

interface Served {
  host: Host;
  daemon: Daemon;
}

/** @throws RuntimeFailure when a ping was lost */
export async function demo({ commands }: { commands: boolean }): Promise<void> {
  const story = new Story();
  const lab = await Lab.open();
  try {
    await new Demo(story, lab, await RedisServer.start(lab), commands).tell();
  } finally {
    await lab.close();
  }
}

class Demo {
  readonly #story: Story;
  readonly #lab: Lab;
  readonly #redis: RedisServer;
  /** Whether every command that makes the lab is told. */
  readonly #commands: boolean;
  readonly #pings: { first: boolean; pinged: Pinged }[] = [];

  constructor(story: Story, lab: Lab, redis: RedisServer, commands: boolean) {
    this.#story = story;
    this.#lab = lab;
    this.#redis = redis;
    this.#commands = commands;
  }

  async tell(): Promise<void> {
    const story = this.#story;
    story.chapter('Two hosts on an underlay, a Redis, and nothing else');
    const [host1, host2] = [await this.#lab.addBareHost(), await this.#lab.addBareHost()];
    story.picture(TOPOLOGY);
    if (this.#commands) for (const command of this.#lab.transcript) story.command(command);

    story.chapter('A network: one command, once');
    await this.#missd(...NETWORK);

    story.chapter('Each host joins it: missd makes the VXLAN device and the bridge');
    const served = await Promise.all([this.#join(host1), this.#join(host2)]);
    this.#tellJoined(...served);
    await this.#show(host1, 'ip', '-br', 'link', 'show');

    story.chapter('A guest on each host, plugged in with ip commands; missd publishes their addresses');
    const [guest1, guest2] = [await this.#plug(host1, 1), await this.#plug(host2, 2)];
    await Promise.all([this.#published(guest1), this.#published(guest2)]);

    story.chapter('Host 1 knows nothing yet: no neighbour, no forwarding entry');
    await showTables(story, host1);

    story.chapter('The first ping, IPv4: a miss becomes a lookup, the lookup two entries');
    await explained(story, served, () => this.#ping(guest1, guest2.ip4));

    story.chapter('The first ping, IPv6: neighbour discovery takes the same way');
    await explained(story, served, () => this.#ping(guest1, guest2.ip6));

    story.chapter('What missd wrote on host 1');
    await showTables(story, host1);

    story.chapter('The packets after: the kernel forwards by itself, missd is not asked');
    await this.#ping(guest1, guest2.ip4, 5);
    await this.#ping(guest1, guest2.ip6, 5);

    story.chapter('A third host joins: nothing changes on the others but what they look up');
    const three = await this.#join(await this.#lab.addBareHost());
    this.#tellJoined(three);
    const guest3 = await this.#plug(three.host, 3);
    await this.#published(guest3);
    await explained(story, [...served.slice(0, 1), three], () => this.#ping(guest1, guest3.ip4));
    await this.#ping(guest2, guest3.ip6);

    conclude(story, this.#pings);
  }

  /** One command of missd, with the lab's Redis. */
  async #missd(...words: string[]): Promise<void> {
    const said = await run([process.execPath, MISSD, ...words, '--redis', this.#redis.socket]);
    this.#story.command(printable(['missd', ...words]));
    this.#story.printed(said.trimEnd().split('\n'));
  }

  async #join(host: Host): Promise<Served> {
    const netns = [host.namespace.name];
    const flags = ['--join', 'blue', '--state-dir', `${this.#lab.directory}/h${host.n}`];
    const daemon = await Daemon.start(this.#lab, { netns, redis: this.#redis.socket, flags });
    await daemon.ready();
    await host.addSegment({ topology: 'joined', network: 'blue', vni: 100 });
    return { host, daemon };
  }

  #tellJoined(...served: readonly Served[]): void {
    for (const { host } of served) this.#story.command(`missd run --join blue # on host ${host.n}`);
  }

  async #show({ namespace }: Host, ...argv: string[]): Promise<void> {
    const [program = '', ...words] = argv;
    this.#story.command(printable([program, '-n', namespace.name, ...words]));
    const lines = (await namespace.exec(argv)).trimEnd().split('\n');
    this.#story.printed(lines.filter((line) => line.includes('blue')));
  }

  async #plug(host: Host, n: number): Promise<Guest> {
    const before = this.#lab.transcript.length;
    const guest = await host.addGuest({ n });
    const made = this.#lab.transcript.slice(before);
    const told = made.filter((one) => this.#commands || / (add|master) /.test(one));
    for (const command of told) this.#story.command(command);
    return guest;
  }

  /** Waits for the records, and shows them. */
  async #published(guest: Guest): Promise<void> {
    for (const [key] of addressRecords(guest)) {
      const value = await until(
        `the record ${key}`,
        async () => (await this.#redis.cli('GET', key)) || undefined,
        {
          timeout: 20_000,
        },
      );
      this.#story.command(`redis-cli get '${key}'`);
      this.#story.printed([value]);
    }
  }

  async #ping(from: Guest, to: string | undefined, count = 1): Promise<Pinged> {
    const pinged = await from.ping(to ?? '', { count, interval: 0.05 });
    this.#pings.push({ first: count === 1, pinged });
    this.#story.command(`ip netns exec ${from.namespace.name} ping -c ${count} ${pinged.ip}`);
    const times = pinged.rtts.map((rtt) => ms(rtt)).join(', ');
    this.#story.printed([`${pinged.received} of ${pinged.sent} answered${times === '' ? '' : `: ${times}`}`]);
    return pinged;
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
      'ARP retry waits about 1,020 ms. Nobody made a device or wrote a record.',
  );
}

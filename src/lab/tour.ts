/** `missd lab NAME`: one blueprint built and shown. What is told is also returned, for programs. */
import { RuntimeFailure } from '../base/errors.ts';
import type { Blueprint } from './blueprint.ts';
import { diagram } from './diagram.ts';
import { printable } from './command.ts';
import type { Pinged } from './ping.ts';
import { Prometheus } from './prometheus.ts';
import { type Pair, Site } from './site.ts';
import { showTables } from './show-tables.ts';
import { ms } from '../screen/span.ts';
import type { Story } from './story.ts';
import { type Comparison, compareTables } from './tables.ts';

export interface TourOptions {
  /** Leaves the lab up under this name. */
  keepAs?: string | undefined;
  /** Leaves a Prometheus up with it, which scrapes its daemons. */
  prometheus?: boolean;
  /** Tells every command that makes the network. */
  commands?: boolean;
}

export interface TourPing extends Pinged {
  /** Numbers of the guests. */
  from: number;
  to: number;
  /** Of this pair and family, which finds nothing known. */
  first: boolean;
}

export interface Tour {
  lab: string;
  filling: string;
  hosts: ({ host: number; namespace: string; vtep: string; guests: number[]; exact: boolean } & Comparison)[];
  pings: TourPing[];
  /** Packets without an answer. */
  lost: { first: number; later: number };
  /** Nothing is lost once resolved, and the tables hold what they ought to. */
  good: boolean;
  /** Where the Prometheus is that was left up. */
  prometheus?: string;
}

/** The lab is gone when this returns, unless it was to be kept and all went well. */
export async function tour(blueprint: Blueprint, story: Story, options: TourOptions = {}): Promise<Tour> {
  if (options.prometheus === true) await Prometheus.mustBeInstalled();
  const site = await Site.build(blueprint, { keepAs: options.keepAs });
  try {
    const seen = await show(site, story, options);
    if (options.keepAs === undefined) return seen;
    const prometheus =
      options.prometheus === true ? await Prometheus.start(site.lab, site.daemons) : undefined;
    site.lab.keep();
    tellHowToEnter(site, story, options.keepAs);
    if (prometheus === undefined) return seen;
    story.say(`Prometheus scrapes every daemon: ${prometheus.url}`);
    return { ...seen, prometheus: prometheus.url };
  } finally {
    await site.close();
  }
}

/** @throws RuntimeFailure with what went wrong, if anything did */
export function assertGood({ lab, lost, hosts }: Tour): void {
  if (lost.later > 0) throw new RuntimeFailure(`lab ${lab}: ${lost.later} pings were lost after resolution`);
  const wrong = hosts.find(({ exact }) => !exact);
  if (wrong === undefined) return;
  const rows = [...wrong.missing.map((row) => `no ${row}`), ...wrong.unexpected];
  throw new RuntimeFailure(`lab ${lab}: the tables of host ${wrong.host} are not exact: ${rows.join(', ')}`);
}

async function show(site: Site, story: Story, { commands = false }: TourOptions): Promise<Tour> {
  const { blueprint, lab, store } = site;
  story.chapter(capital(blueprint.summary));
  story.say(blueprint.about);
  story.line('');
  story.picture(diagram(site));
  const made = commands ? lab.transcript : lab.transcript.filter((command) => command.includes('type vxlan'));
  story.say(
    `Made with ${lab.transcript.length} commands${commands ? '' : ' (--commands shows them), of which these matter'}:`,
  );
  for (const command of made) story.command(command);

  if (store !== undefined) {
    story.chapter('What the directory says, and who reads it');
    for (const { command, printed } of store.shown()) {
      story.command(command);
      story.printed(printed);
    }
    for (const { program } of site.daemons) story.command(printable(['missd', ...program.argv.slice(2)]));
  }

  story.chapter('Pings: the first of each pair, then five more');
  const pairs = site.pairs(1);
  const pings: TourPing[] = [];
  for (const pair of pairs) pings.push(...(await talk(pair, story)));

  story.chapter('What the tables of each host hold now');
  const hosts: Tour['hosts'] = [];
  for (const host of site.hosts) {
    const { namespace } = host.segment;
    const compared = await compareTables(site, host, pairs);
    await showTables(story, host);
    const exact = compared.missing.length + compared.unexpected.length === 0;
    const guests = site.guestsOf(host).map(({ n }) => n);
    hosts.push({ host: host.n, namespace: namespace.name, vtep: host.vtep, guests, exact, ...compared });
  }
  return conclude(blueprint, hosts, pings, story);
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

async function talk({ from, to }: Pair, story: Story): Promise<TourPing[]> {
  const pings: TourPing[] = [];
  for (const ip of [to.ip4, to.ip6].filter((address) => address !== undefined)) {
    for (const count of [1, 5]) {
      const pinged = await from.ping(ip, { count, interval: 0.02 });
      pings.push({ from: from.n, to: to.n, first: count === 1, ...pinged });
      story.command(`ip netns exec ${from.namespace.name} ping -c ${count} ${ip}`);
      const times = pinged.rtts.map((rtt) => ms(rtt)).join(', ');
      story.printed([`${pinged.received} of ${pinged.sent} answered${times === '' ? '' : `: ${times}`}`]);
    }
  }
  return pings;
}

function conclude(blueprint: Blueprint, hosts: Tour['hosts'], pings: TourPing[], story: Story): Tour {
  const lostOf = (first: boolean): number =>
    pings
      .filter((ping) => ping.first === first)
      .reduce((sum, { sent, received }) => sum + sent - received, 0);
  const lost = { first: lostOf(true), later: lostOf(false) };
  const exact = hosts.every((host) => host.exact);
  const good = exact && lost.later === 0;
  if (good) {
    const sent = pings.reduce((sum, ping) => sum + ping.sent, 0);
    const answered = lost.first === 0 ? `All ${sent}` : `All but ${lost.first} first ones of ${sent}`;
    // Bridges were heard of, too.
    const tables =
      blueprint.filling === 'flood'
        ? 'what every host learned of the guests is right'
        : 'the tables of every host hold what they ought to, no more';
    story.good(`${answered} pings answered, and ${tables}.`);
  }
  return { lab: blueprint.name, filling: blueprint.filling, hosts, pings, lost, good };
}

function tellHowToEnter(site: Site, story: Story, name: string): void {
  story.chapter('It stays up');
  story.say('Enter a guest or a host, ask a daemon, and take it all down again:');
  const [guest] = site.guests;
  const [host] = site.hosts;
  if (guest !== undefined) story.command(`ip netns exec ${guest.namespace.name} bash`);
  for (const name of host?.served ?? []) story.command(`ip netns exec ${name} bash`);
  const [daemon] = site.daemons;
  if (daemon !== undefined) story.command(`missd status --listen ${new URL(daemon.url).host}`);
  story.command(`missd lab clean ${name}`);
}

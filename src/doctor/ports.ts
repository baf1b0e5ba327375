/** Settings of bridges and their ports that keep questions from the VXLAN device. */
import type { LinkDetails } from '../inspect/iproute.ts';
import { type CommandLine, device as deviceWord, sh, typed } from '../screen/shell.ts';
import { guestPorts } from '../links/ports.ts';
import { type Finding, of } from './finding.ts';
import type { Subject } from './scene.ts';

const say = of('ports');

/** @param served whether the daemon at `--listen` serves the device */
export function judgePort({ link, name, place, bridge }: Subject, served: boolean): Finding[] {
  const { bridgePort } = link;
  if (bridgePort === undefined || bridge === undefined) return [];
  const details = place.details.get(link.ifindex);
  const bridgeDetails = place.details.get(bridge.ifindex)?.bridge;
  const set = (flag: string, value: string): CommandLine =>
    typed(place.path, sh`bridge link set dev ${link.name} ${flag} ${value}`);
  const findings: Finding[] = [];
  if (!bridge.up)
    findings.push(
      say.broken(
        'bridge-down',
        `${name}: its bridge ${bridge.name} is down`,
        'Guests reach no other guest, not even on this host.',
        typed(place.path, sh`ip link set ${deviceWord(bridge.name)} up`),
      ),
    );
  if (!bridgePort.bcastFlood)
    findings.push(
      say.broken(
        'bcast_flood',
        `${name} gets no broadcasts (bcast_flood off)`,
        'ARP requests of guests do not reach the device, so IPv4 addresses raise no miss.',
        set('bcast_flood', 'on'),
      ),
    );
  if (!bridgePort.mcastFlood)
    findings.push(
      say.warning(
        'mcast_flood',
        `${name} gets no multicast (mcast_flood off)`,
        'Neighbour solicitations of guests do not reach the device, so IPv6 addresses raise no miss.',
        set('mcast_flood', 'on'),
      ),
    );
  if (bridgePort.neighSuppress)
    findings.push(
      say.warning(
        'neigh_suppress',
        `${name} has neigh_suppress on`,
        "The bridge answers questions from the host's own neighbour table, even if an entry there is wrong, before a miss is raised.",
        set('neigh_suppress', 'off'),
      ),
    );
  if (bridgePort.multicastRouter !== 2 && (served || querier(bridgeDetails))) findings.push(judgeQuerier());
  if (details?.port?.isolated === true) findings.push(...judgeIsolation());
  if (link.up && bridge.up && details?.port !== undefined && details.port.state !== 'forwarding')
    findings.push(
      say.broken(
        'state',
        `${name} is ${details.port.state} in bridge ${bridge.name}`,
        'Spanning tree keeps the port from forwarding: it has just come up, or there is a loop through the overlay.',
        typed(place.path, sh`ip link set ${deviceWord(bridge.name)} type bridge stp_state 0`),
      ),
    );
  if (findings.length === 0) findings.push(say.ok('flags', `${name} in ${bridge.name}`));
  return findings;

  function judgeQuerier(): Finding {
    const why =
      'With an MLD querier neighbour solicitations go to router ports and known listeners only, so IPv6 addresses raise no miss.';
    return served
      ? say.warning(
          'querier',
          `${name} is served and is not a permanent multicast router port of ${bridge?.name ?? 'its bridge'}`,
          why,
          set('mcast_router', '2'),
        )
      : say.note(
          'querier',
          `${bridge?.name ?? ''} is an MLD querier; missd run sets mcast_router 2 on ${name}`,
          why,
        );
  }

  function judgeIsolation(): Finding[] {
    const cut = guestPorts(place.links.values(), bridge?.ifindex ?? 0)
      .map((ifindex) => place.details.get(ifindex))
      .filter((port) => port?.port?.isolated === true);
    const why = 'Isolated ports of a bridge do not reach each other.';
    return cut.length === 0
      ? [say.note('isolated', `${name} is an isolated port, and so far the only one`, why)]
      : [
          say.broken(
            'isolated',
            `${name} is isolated, and so is ${cut.map((port) => port?.name).join(', ')}`,
            `${why} Guests behind them reach no guest on other hosts, and their questions raise no miss.`,
            set('isolated', 'off'),
          ),
        ];
  }
}

/** Only a querier on this bridge can be seen. The daemon sets mcast_router in any case, for queriers elsewhere. */
const querier = (bridge: LinkDetails['bridge']): boolean => bridge?.snooping === true && bridge.querier;

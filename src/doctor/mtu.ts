/** Whether packets of guests fit through the tunnel, and packets of the tunnel through the underlay. */
import { device as deviceWord, sh, typed } from '../screen/shell.ts';
import { guestPorts } from '../links/ports.ts';
import type { Link } from '../base/vocabulary.ts';
import { type Finding, of } from './finding.ts';
import type { Tunnel } from './tunnel.ts';

const say = of('mtu');

export function judgeMtu(tunnel: Tunnel): Finding[] {
  const { subject, underlay, overhead } = tunnel;
  const { link, name, place, bridge } = subject;
  const findings: Finding[] = [];
  const narrow = narrowest(tunnel);
  const room = narrow === undefined ? undefined : narrow.mtu - overhead;
  if (narrow !== undefined && room !== undefined && link.mtu > room)
    findings.push(
      say.broken(
        'underlay',
        `${name} has MTU ${link.mtu}, and ${narrow.what} ${narrow.mtu} takes packets of ${room}`,
        `VXLAN adds ${overhead} bytes. Larger packets are fragmented or lost on the way: ping works, and transfers hang.`,
        typed(place.path, sh`ip link set ${deviceWord(link.name)} mtu ${room}`),
        ...(bridge === undefined
          ? []
          : [typed(place.path, sh`ip link set ${deviceWord(bridge.name)} mtu ${room}`)]),
      ),
    );
  const fits = Math.min(link.mtu, room ?? link.mtu);
  const large = guestPorts(place.links.values(), bridge?.ifindex ?? 0)
    .flatMap((ifindex) => place.links.get(ifindex) ?? [])
    .filter(({ mtu }) => mtu > fits);
  const [example] = large;
  if (example !== undefined)
    findings.push(
      say.warning(
        'guests',
        `${portsOf(large)} of ${bridge?.name ?? 'the bridge'} ${large.length === 1 ? 'has' : 'have'} MTU ${example.mtu}, ${name} ${fits}`,
        "A bridge silently drops a packet that is larger than the MTU of the other port: ping works, and transfers hang. This is no fault if the guests' own ends have the smaller MTU.",
        ...large
          .slice(0, 4)
          .map((port) => typed(place.path, sh`ip link set ${deviceWord(port.name)} mtu ${fits}`)),
      ),
    );
  if (findings.length === 0)
    findings.push(
      say.ok(
        'fits',
        narrow === undefined
          ? `${name} ${link.mtu}`
          : `${name} ${link.mtu} + ${overhead} within ${narrow.mtu}${underlay === undefined ? '' : ` of ${narrow.what}`}`,
      ),
    );
  return findings;
}

/** The smallest known MTU of the underlay. */
function narrowest({ dev, ways }: Tunnel): { what: string; mtu: number } | undefined {
  const places: { what: string; mtu: number }[] = [];
  // Packets of a VTEP on the loopback leave by the device of the route.
  if (dev !== undefined && dev.name !== 'lo') places.push({ what: dev.name, mtu: dev.mtu });
  for (const { vtep, path, out } of ways) {
    if (out !== undefined && out.name !== 'lo') places.push({ what: out.name, mtu: out.mtu });
    if (typeof path !== 'string' && path.mtu !== undefined)
      places.push({ what: `the route to ${vtep}`, mtu: path.mtu });
  }
  return places.sort((a, b) => a.mtu - b.mtu)[0];
}

const portsOf = (links: readonly Link[]): string =>
  links.length === 1 ? `port ${links[0]?.name ?? ''}` : `${links.length} ports`;

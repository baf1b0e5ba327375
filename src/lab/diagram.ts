/** A site as a tree, narrow enough for a terminal. */
import type { Host } from './host.ts';
import type { Site } from './site.ts';

/** Guests of each host in the diagram; further guests are counted. */
const SHOWN = 4;

/**
 *     underlay
 *     ├─ host 1  10.99.0.1  missd
 *     │  └─ br0 with vxlan100
 *     │     └─ guest 1  20.0.0.1  fd20::1
 */
export function diagram(site: Site): string {
  const lines = ['underlay'];
  for (const host of site.hosts) {
    const last = host.n === site.hosts.length;
    const missd = site.daemons.length === 0 ? '' : '  missd';
    lines.push(`${last ? '└' : '├'}─ host ${host.n}  ${host.vtep}${missd}`);
    lines.push(...inside(site, host).map((line) => `${last ? ' ' : '│'}  ${line}`));
  }
  return lines.join('\n');
}

function inside(site: Site, host: Host): string[] {
  const { segment } = host;
  const guests = site.guestsOf(host);
  const shown = guests
    .slice(0, SHOWN)
    .map(({ n, ip4, ip6 }) => [`guest ${n}`, ip4, ip6].filter((word) => word !== undefined).join('  '));
  if (guests.length > SHOWN) shown.push(`… and ${guests.length - SHOWN} more`);
  const rows = shown.map((text, at) => `   ${at === shown.length - 1 ? '└' : '├'}─ ${text}`);
  const apart = segment.namespace === host.namespace ? '' : ' in a namespace of their own';
  return [`└─ ${segment.bridge} and ${segment.device}${apart}`, ...rows];
}

/** Whether packets reach the other hosts. */
import { device as deviceWord, sh, typed } from '../screen/shell.ts';
import { type Finding, of } from './finding.ts';
import type { Tunnel } from './tunnel.ts';

const say = of('underlay');

export function judgeUnderlay({
  subject,
  underlay,
  addresses,
  dev,
  ways,
  unread,
  family,
}: Tunnel): Finding[] {
  const { name, link } = subject;
  const { local } = link.vxlan;
  const findings: Finding[] = [];
  if (local !== undefined && !addresses.some(({ ip }) => ip === local))
    findings.push(
      say.broken(
        'local',
        `${name} sends from ${local}, which no interface has`,
        'The kernel cannot send a packet from an address that the host does not have, and no packet to that address arrives.',
        typed(
          underlay?.path ?? null,
          sh`ip address add ${local}/${family === 6 ? 64 : 24} dev ${dev?.name ?? 'eth0'}`,
        ),
      ),
    );
  if (underlay === undefined)
    return [
      ...findings,
      say.note(
        'unseen',
        `routes and MTU of the underlay of ${name} could not be read: ${unread ?? 'its packets leave from a namespace that has no name here'}`,
        'Run doctor for that namespace.',
        sh`missd doctor --netns NAME`,
      ),
    ];
  const down = new Set<string>();
  const judgeDown = (device: { name: string; up: boolean; carrier: boolean }, of: string): void => {
    if (device.carrier || down.has(device.name)) return;
    down.add(device.name);
    findings.push(
      say.broken(
        'down',
        `${device.name}, which ${of} leaves from, ${device.up ? 'has no carrier' : 'is down'}`,
        'No packet of the overlay leaves this host on it.',
        typed(
          underlay.path,
          device.up
            ? sh`ip link show ${deviceWord(device.name)}`
            : sh`ip link set ${deviceWord(device.name)} up`,
        ),
      ),
    );
  };
  if (dev !== undefined) judgeDown(dev, name);
  for (const { vtep, path, out } of ways) {
    if (out !== undefined) judgeDown(out, name);
    if (typeof path === 'string') {
      findings.push(
        say.broken(
          'route',
          `no route from ${underlay.name} to host ${vtep} of VNI ${link.vxlan.vni}: ${path}`,
          'The guests of that host cannot be reached.',
          typed(underlay.path, sh`ip route get ${vtep}`),
        ),
      );
    } else if (path.device === link.name)
      findings.push(
        say.broken(
          'loop',
          `the route to host ${vtep} leads through ${name} itself`,
          'Each packet of the overlay would be wrapped again and again.',
          typed(underlay.path, sh`ip route get ${vtep}`),
        ),
      );
  }
  if (findings.length === 0)
    findings.push(say.ok('routes', `${name}: ${ways.length} other host${ways.length === 1 ? '' : 's'}`));
  return findings;
}

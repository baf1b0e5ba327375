/** The VXLAN device: its state, its flags and the route to it. */
import { device as deviceWord, setSysctl, sh } from '../../screen/shell.ts';
import { cautions } from '../../links/servable.ts';
import type { Facts } from '../facts.ts';
import { type Finding, finding } from '../finding.ts';
import { here, isLocal, isServed, raisesMisses } from '../view.ts';

export function device(facts: Facts): Finding[] {
  const { link, bridge, refusal } = facts.device;
  const { vxlan, name } = link;
  const flags = (['learning', 'proxy', 'l2miss', 'l3miss'] as const).filter((flag) => vxlan[flag]);
  const where = bridge === undefined ? 'routed' : `in ${bridge.name}`;
  const text = `${name}, VNI ${vxlan.vni}, ${where}, MTU ${link.mtu}, ${flags.join(' ') || 'no flags'}`;
  if (!link.up || bridge?.up === false) {
    const down = link.up && bridge !== undefined ? bridge.name : name;
    return [
      finding('device', 'bad', `${text}; ${down} is down`, {
        cause: {
          name: 'device_down',
          says: `${down} is down: nothing passes, and the kernel has emptied its tables`,
          next: here(facts, sh`ip link set ${deviceWord(down)} up`),
        },
      }),
    ];
  }
  const findings = [finding('device', 'ok', text)];
  if (refusal !== undefined)
    findings.push(
      finding('device', raisesMisses(facts) ? 'bad' : 'note', `missd does not serve it: ${refusal}`, {
        cause: {
          name: 'device_refused',
          says: `missd does not serve ${name}: ${refusal}`,
          next: here(facts, sh`ip -d link show ${deviceWord(name)}`),
        },
      }),
    );
  // A device that raises no misses is configured that way on purpose, so the cautions are notes only.
  const ours = raisesMisses(facts) || isServed(facts);
  for (const caution of cautions(link))
    findings.push(finding('device', ours ? 'warn' : 'note', `it ${caution}`));
  return [...findings, ...route(facts)];
}

/** If the host routes: whether packets reach the device, and whether the kernel raises misses. */
function route(facts: Facts): Finding[] {
  const {
    device: { link, bridge, appSolicit },
    ip,
    route: path,
  } = facts;
  if (bridge !== undefined || ip === undefined || path === undefined || isLocal(facts)) return [];
  if (typeof path === 'string' || path.device !== link.name) {
    const text = typeof path === 'string' ? path : `${ip} goes by ${path.device}`;
    return [
      finding('device', 'bad', `no route to ${ip} through ${link.name}: ${text}`, {
        cause: {
          name: 'unrouted',
          says: `packets to ${ip} do not come to ${link.name}: ${text}`,
          next: here(facts, sh`ip route replace ${ip}/${ip.includes(':') ? 128 : 32} dev ${link.name}`),
        },
      }),
    ];
  }
  const way = path.gateway === undefined ? '' : ` via ${path.gateway}`;
  const findings = [finding('device', 'ok', `${ip} is routed to it${way}`)];
  if (appSolicit === 0 && raisesMisses(facts)) {
    const family = ip.includes(':') ? 'ipv6' : 'ipv4';
    const entry = facts.neighbour?.row.lladdr !== undefined;
    findings.push(
      finding(
        'device',
        entry ? 'warn' : 'bad',
        'app_solicit is 0: addresses that the host routes raise no miss',
        {
          cause: {
            name: 'no_app_solicit',
            says: `app_solicit of ${link.name} is 0, so the kernel never asks for ${ip}`,
            next: setSysctl(facts.device.path, ['net', family, 'neigh', link.name, 'app_solicit'], 3),
          },
        },
      ),
    );
  }
  return findings;
}

/** Whether this kernel has the features that missd needs. */
import { type CommandLine, sh } from '../screen/shell.ts';
import { type Finding, of } from './finding.ts';
import type { Feature, Trial } from './features.ts';

const say = of('kernel');

/** The consequence of a missing feature, and the fix. */
const LACK: Record<Feature, { level: 'note' | 'warning' | 'broken'; why: string; fix?: CommandLine }> = {
  bridge: {
    level: 'warning',
    why: 'There can be no bridged overlay here, only a routed one.',
    fix: sh`modprobe bridge`,
  },
  vxlan: { level: 'broken', why: 'There is nothing for missd to serve.', fix: sh`modprobe vxlan` },
  ipv6: {
    level: 'note',
    why: 'Overlays and underlays of IPv6 are not possible here; IPv4 works.',
    fix: sh`sysctl -w net.ipv6.conf.all.disable_ipv6=0`,
  },
  'misses of routed addresses': {
    level: 'broken',
    why: 'Addresses that the host routes would raise no miss.',
  },
  'misses of bridged addresses': {
    level: 'broken',
    why: 'Questions of guests would raise no miss.',
  },
  'misses of IPv6 addresses': { level: 'warning', why: 'IPv6 addresses of guests would raise no miss.' },
  'misses of MACs': { level: 'broken', why: 'Frames to unknown MACs would raise no miss.' },
  'neighbour with owner': {
    level: 'broken',
    why: 'missd marks its entries with protocol 77 and extern_learn, and could not tell them from others.',
  },
  'FDB entry with owner': {
    level: 'broken',
    why: 'missd marks its FDB entries with extern_learn; without the flag they age, and look like foreign entries.',
  },
  app_solicit: { level: 'warning', why: 'Addresses that the host routes would raise no miss.' },
  mcast_router: {
    level: 'warning',
    why: 'With an MLD querier on a bridge neighbour solicitations would not reach missd.',
  },
  'route with owner': { level: 'note', why: 'The strategy routes is not possible here.' },
  lock: { level: 'warning', why: 'Two daemons could serve one device without a warning.' },
  nftables: {
    level: 'warning',
    why: 'missd drops floods of questions in user space, for about a third of a core. If guests publish themselves, duplicate address detection of a guest whose address has an entry here finds the address taken.',
    fix: sh`apt-get install nftables`,
  },
};

/** @param trials the results, or the reason why no feature could be tried */
export function judgeKernel(trials: readonly Trial[] | string): Finding[] {
  if (typeof trials === 'string')
    return [
      say.warning(
        'tried',
        `The kernel's features were not tried: ${trials}`,
        'The trial needs a network namespace of its own, and CAP_SYS_ADMIN to create it.',
        sh`sudo missd doctor`,
      ),
    ];
  const findings = trials.flatMap(({ feature, error }) => {
    if (error === undefined) return [];
    const { level, why, fix } = LACK[feature];
    return [say[level](idOf(feature), `${feature}: ${error}`, why, ...(fix === undefined ? [] : [fix]))];
  });
  const works = trials.filter(({ error }) => error === undefined).length;
  return [...findings, say.ok('tried', `${works} features work, tried in a network namespace of their own`)];
}

const idOf = (feature: Feature): string => feature.toLowerCase().replaceAll(' ', '-');

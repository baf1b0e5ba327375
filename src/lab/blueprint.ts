/**
 * The ways of running VXLAN that people write about, each as a description that `site.ts` builds: how hosts are wired,
 * what fills their tables, and the device flags of the write-up.
 */
import { hostIp4 } from './address.ts';
import type { SegmentOptions } from './segment.ts';

/**
 * What fills the kernel's tables. The first three are missd's strategies; `flood` is the kernel alone, which sends what
 * it does not know to a default destination and learns from what comes in.
 */
export type Filling = 'miss' | 'preload' | 'routes' | 'flood';

export interface Blueprint {
  readonly name: string;
  /** One line for the list. */
  readonly summary: string;
  /** What is worth knowing before one sees it. */
  readonly about: string;
  readonly hosts: 2 | 3;
  /** On every host, of which the first talks. */
  readonly guests: number;
  readonly filling: Filling;
  /** Where records are kept; undefined where nobody asks. */
  readonly directory: 'redis' | 'file' | undefined;
  /** The VXLAN device of host `n` and what it is joined to. */
  readonly segment: (n: number) => SegmentOptions;
}

/** The kernel finds a source address by its route, as the write-ups have it. */
const BY_ROUTE = { local: false, more: ['dev', 'eth0'] } as const;
/** The bridge’s own address, on every host. */
const ANYCAST = '20.0.0.254/24';
const NO_MISSES = { proxy: false, l2miss: false, l3miss: false } as const;

export const BLUEPRINTS: readonly Blueprint[] = [
  {
    name: 'bridged',
    summary: 'guests on a bridge, entries on demand: what missd is made for',
    about:
      'Device and guests are ports of one bridge on every host. The kernel raises a miss for an address it does not ' +
      'know, and missd answers it from Redis.',
    hosts: 2,
    guests: 1,
    filling: 'miss',
    directory: 'redis',
    segment: () => BY_ROUTE,
  },
  {
    name: 'routed',
    summary: 'hosts route the overlay, leases answer misses (early Flannel)',
    about:
      'Every host has a subnet of its own and routes the whole overlay through the VXLAN device, as first-generation ' +
      'Flannel did. A lease names the host that a subnet is behind, so one record serves all its guests.',
    hosts: 2,
    guests: 1,
    filling: 'miss',
    directory: 'redis',
    segment: () => ({ ...BY_ROUTE, topology: 'routed', vni: 1 }),
  },
  {
    name: 'overlay-netns',
    summary: 'bridge and device in a namespace of their own, as Docker has it',
    about:
      'The VXLAN device is made in the host’s namespace, from where its packets leave, and moved to one of the ' +
      'overlay. missd is told its name and serves it from outside. All hosts have the same gateway address.',
    hosts: 2,
    guests: 1,
    filling: 'miss',
    directory: 'redis',
    segment: () => ({ topology: 'overlay', vni: 42, local: false, learning: true, gateway: [ANYCAST] }),
  },
  {
    name: 'three-hosts',
    summary: 'three VTEPs, device flags `proxy learning`, entries on demand',
    about:
      'Without missd each host needs four typed commands for every guest of the others; missd answers the misses instead. ' +
      'The device learns, too, as in the write-up.',
    hosts: 3,
    guests: 1,
    filling: 'miss',
    directory: 'redis',
    segment: (n) => ({
      topology: 'overlay',
      vni: 42,
      local: false,
      learning: true,
      gateway: [`20.0.0.${250 + n}/24`],
    }),
  },
  {
    name: 'static',
    summary: 'a directory in a file on every host, no Redis',
    about:
      'For networks that hardly change: the same file on every host, read again when it does. Entries still come on ' +
      'demand.',
    hosts: 2,
    guests: 1,
    filling: 'miss',
    directory: 'file',
    segment: () => BY_ROUTE,
  },
  {
    name: 'multicast',
    summary: 'the kernel floods through a multicast group and learns; no missd',
    about:
      'For comparison. Whatever the kernel has no entry for, every ARP request among it, goes to all members of the ' +
      'group, and the underlay must carry multicast. Nobody needs a directory.',
    hosts: 2,
    guests: 1,
    filling: 'flood',
    directory: undefined,
    segment: () => ({
      ...NO_MISSES,
      vni: 42,
      learning: true,
      local: false,
      more: ['group', '239.1.1.1', 'dev', 'eth0'],
    }),
  },
  {
    name: 'point-to-point',
    summary: 'two hosts, each the default destination of the other; no missd',
    about:
      'For comparison. What is unknown goes to the one other host there is, so there is nothing to find out, and ' +
      'nothing but two hosts.',
    hosts: 2,
    guests: 1,
    filling: 'flood',
    directory: undefined,
    segment: (n) => ({
      ...NO_MISSES,
      learning: true,
      local: false,
      more: ['remote', hostIp4(3 - n), 'dev', 'eth0'],
    }),
  },
  {
    name: 'docker-push',
    summary: 'every endpoint written ahead on every host, as Docker does',
    about:
      'Docker tells all hosts of all containers and writes their entries in advance. missd does so for a VNI ' +
      'with the strategy preload: no first packet waits, and the tables grow with the overlay.',
    hosts: 2,
    guests: 3,
    filling: 'preload',
    directory: 'redis',
    segment: () => ({
      topology: 'overlay',
      vni: 256,
      local: false,
      learning: true,
      more: ['srcport', 10240, 65535, 'ageing', 300],
    }),
  },
  {
    name: 'host-routes',
    summary: 'a route, a neighbour and an FDB entry a host (Flannel today)',
    about:
      'Hosts route, and no miss is ever raised: from the leases missd writes three lines for each remote host, with ' +
      'the strategy routes. However many guests there are, it stays at that.',
    hosts: 2,
    guests: 3,
    filling: 'routes',
    directory: 'redis',
    segment: () => ({ ...BY_ROUTE, ...NO_MISSES, topology: 'routed', vni: 1, routeOverlay: false }),
  },
];

export const blueprintNamed = (name: string): Blueprint | undefined =>
  BLUEPRINTS.find((blueprint) => blueprint.name === name);

/**
 * Published ways of running VXLAN, as descriptions that `site.ts` builds: the wiring of the hosts, the source of the table
 * entries, and the device flags of the publication.
 */
import { hostIp4 } from './address.ts';
import type { SegmentOptions } from './segment.ts';

/**
 * The source of the kernel's entries. The first three are missd's strategies. With `flood` the kernel sends unknown
 * destinations to a default destination, and learns from incoming frames.
 */
export type Filling = 'miss' | 'preload' | 'routes' | 'flood';

export interface Blueprint {
  readonly name: string;
  /** One line for the list. */
  readonly summary: string;
  /** Introduction to the lab. */
  readonly about: string;
  readonly hosts: 2 | 3;
  /** Guests on every host; the first guest of each talks. */
  readonly guests: number;
  readonly filling: Filling;
  /** Where the records are; undefined without missd. */
  readonly directory: 'redis' | 'file' | undefined;
  /** The segment of host `n`: the VXLAN device, its bridge and its flags. */
  readonly segment: (n: number) => SegmentOptions;
}

/** No `local` address: the kernel takes the source address from the route, as in the publications. */
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
      'The VXLAN device is created in the host’s namespace, which its packets leave from, and moved to a namespace of ' +
      'the overlay. missd serves that namespace from outside. All hosts have the same gateway address.',
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
      'The device also learns, as in the publication.',
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
      'For networks that hardly change: the same file on every host, which missd reads again when it changes. Entries ' +
      'still come on demand.',
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
      'For comparison. Frames without an entry, and all ARP requests, go to all members of the group, and the underlay ' +
      'must carry multicast. No directory is needed.',
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
      'For comparison. Frames to unknown MACs go to the only other host, so nothing has to be resolved. It works with ' +
      'two hosts only.',
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
    summary: 'all entries in advance on every host, as Docker does',
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
      'Hosts route, and no miss is ever raised: with the strategy routes missd writes three entries for each remote ' +
      'host from its lease, however many guests that host has.',
    hosts: 2,
    guests: 3,
    filling: 'routes',
    directory: 'redis',
    segment: () => ({ ...BY_ROUTE, ...NO_MISSES, topology: 'routed', vni: 1, routeOverlay: false }),
  },
];

export const blueprintNamed = (name: string): Blueprint | undefined =>
  BLUEPRINTS.find((blueprint) => blueprint.name === name);

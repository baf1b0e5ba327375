/** The routed topology on two hosts: each routes a prefix through its VXLAN device, to whoever has the lease. */
import type { Host } from '../../src/lab/host.ts';
import type { Namespace, Words } from '../../src/lab/namespace.ts';
import type { Segment } from '../../src/lab/segment.ts';

export const VNI = 300;
const DEVICE = 'vxlan300';

const mac = (n: number): string => `02:f0:00:00:00:0${n}`;
export const address = (n: number): string => `10.20.${n}.1`;

/** Leases of both hosts; host 2 answers for the whole of 10.20.64.0/18. */
export const LEASES = (host1: Host, host2: Host): [cidr: string, value: string][] => [
  ['10.20.1.0/24', `${mac(1)} ${host1.vtep}`],
  ['10.20.64.0/18', `${mac(2)} ${host2.vtep}`],
];

/** @returns the device as a segment's tables are looked at */
export async function route(host: Host): Promise<Pick<Segment, 'vni' | 'neighbours' | 'fdb'>> {
  const { namespace, n } = host;
  const words: Words = ['id', VNI, 'dstport', 4790, 'local', host.vtep, 'nolearning', 'l2miss', 'l3miss'];
  await namespace.ip(
    ['link', 'add', DEVICE, 'address', mac(n), 'type', 'vxlan', ...words],
    ['link', 'set', DEVICE, 'up'],
    ['address', 'add', `${address(n)}/32`, 'dev', DEVICE],
    ['route', 'add', '10.20.0.0/16', 'dev', DEVICE, 'src', address(n)],
  );
  // The kernel asks missd rather than the wire.
  await namespace.sysctl({
    [`net/ipv4/neigh/${DEVICE}/app_solicit`]: 3,
    [`net/ipv4/neigh/${DEVICE}/mcast_solicit`]: 0,
  });
  return { vni: VNI, neighbours: () => rows(namespace), fdb: () => fdb(namespace) };
}

const rows = async (namespace: Namespace): ReturnType<Segment['neighbours']> =>
  (await namespace.neighbours(DEVICE)).filter(({ ip }) => ip.startsWith('10.20.'));

const fdb = async (namespace: Namespace): ReturnType<Segment['fdb']> =>
  (await namespace.fdb(DEVICE)).filter(({ self, vtep }) => self && vtep !== undefined);

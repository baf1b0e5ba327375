/** The routes of a VXLAN device's packets to the other hosts. */
import { reasonOf } from '../base/errors.ts';
import { type LinkDetails, type Path, linkDetails, overhead, pathTo } from '../inspect/iproute.ts';
import { underlayPath } from '../inspect/underlay.ts';
import type { InterfaceAddress, Ip } from '../base/vocabulary.ts';
import { type Place, type Scene, type Subject, nameOf } from './scene.ts';

/** Hosts of a VNI whose routes are read. */
const MOST_HOSTS = 8;

export interface Way {
  vtep: Ip;
  /** The route; a string if there is none: the reason. */
  path: Path | string;
  /** The device of the route. */
  out?: LinkDetails;
}

/** The namespace that packets leave from. */
export type Underlay = Pick<Place, 'path' | 'name' | 'details'>;

export interface Tunnel {
  subject: Subject;
  family: 4 | 6;
  /** Bytes that VXLAN adds to a packet. */
  overhead: number;
  /** Undefined if the namespace has no name here. */
  underlay: Underlay | undefined;
  /** Addresses in the underlay's namespace. */
  addresses: readonly InterfaceAddress[];
  /** The device that `dev` names, or else the device with the `local` address. */
  dev?: LinkDetails;
  ways: readonly Way[];
  /** Why the routes could not be read. */
  unread?: string;
}

/** @param vteps other hosts of the VNI, from the directory */
export async function tunnel(subject: Subject, scene: Scene, vteps: readonly Ip[]): Promise<Tunnel> {
  const { link, place } = subject;
  const family = link.vxlan.ipv6 ? 6 : 4;
  const addresses =
    link.linkNetnsid === undefined ? place.addresses : await place.kernel.addresses(link.linkNetnsid);
  const found = { subject, family, overhead: overhead(family), addresses, ways: [] } as const;
  try {
    const underlay = await underlayOf(subject, scene);
    if (underlay === undefined) return { ...found, underlay };
    const at = addresses.find(({ ip }) => ip === link.vxlan.local)?.ifindex ?? 0;
    const dev = underlay.details.get(link.vxlan.link) ?? underlay.details.get(at);
    const ways = await Promise.all(
      vteps
        .filter((vtep) => vtep.includes(':') === (family === 6))
        .slice(0, MOST_HOSTS)
        .map((vtep) => wayTo(underlay, vtep)),
    );
    return { ...found, ways, underlay, ...(dev !== undefined && { dev }) };
  } catch (error) {
    return { ...found, underlay: undefined, unread: reasonOf(error) };
  }
}

async function underlayOf({ place, link }: Subject, scene: Scene): Promise<Underlay | undefined> {
  const path = await underlayPath(place.path, place.kernel, link);
  if (path === undefined) return undefined;
  const known = [...scene.places, ...(scene.own === undefined ? [] : [scene.own])].find(
    (one) => one.path === path,
  );
  return known ?? { path, name: nameOf(path), details: await linkDetails(path) };
}

async function wayTo({ path: namespace, details }: Underlay, vtep: Ip): Promise<Way> {
  const path = await pathTo(namespace, vtep);
  const out =
    typeof path === 'string' ? undefined : [...details.values()].find(({ name }) => name === path.device);
  return out === undefined ? { vtep, path } : { vtep, path, out };
}

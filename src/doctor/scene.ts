/** The namespaces to be examined as they are found: read once, judged by the groups. */
import type { VxlanLink } from '../model/vxlan-link.ts';
import type { DoctorOptions } from '../config/options.ts';
import { strategyOf, type Strategy } from '../model/strategy.ts';
import { reasonOf } from '../base/errors.ts';
import { type LinkDetails, linkDetails } from '../inspect/iproute.ts';
import { type Kernel, KernelError, type Namespace } from '../kernel/kernel.ts';
import { isVxlan, isWanted } from '../links/servable.ts';
import type { InterfaceAddress, Ip, Link, Vni } from '../base/vocabulary.ts';

/** One namespace. */
export interface Place {
  /** Null for our own. */
  path: string | null;
  /** For people: `own`, a name under /run/netns, or a path. */
  name: string;
  kernel: Namespace;
  links: ReadonlyMap<number, Link>;
  /** What iproute2 adds; empty where it is not there. */
  details: ReadonlyMap<number, LinkDetails>;
  addresses: readonly InterfaceAddress[];
}

export interface Scene {
  options: DoctorOptions;
  /** Those that were asked for. */
  places: readonly Place[];
  /** Ours, whether it was asked for or not: the daemon's own addresses are the host's. */
  own: Place | undefined;
  /** What was asked for and could not be opened. `denied`: for want of privilege. */
  missing: readonly { name: string; reason: string; denied: boolean }[];
  /** Why iproute2 said nothing. */
  missedEvents: string | undefined;
  strategyOf: (vni: Vni) => Strategy;
}

/** A VXLAN device that missd would serve, where it is. */
export interface Subject {
  place: Place;
  link: VxlanLink;
  /** As findings name it. */
  name: string;
  strategy: Strategy;
  /** The bridge it is a port of. */
  bridge: Link | undefined;
}

/** Opens what the options name; `close` it. Never rejects. */
export async function openScene(kernel: Kernel, options: DoctorOptions): Promise<Scene> {
  const asked: (string | null)[] = options.netns.length === 0 ? [null] : options.netns;
  const places: Place[] = [];
  const missing: Scene['missing'][number][] = [];
  let missedEvents: string | undefined;
  let own: Place | undefined;
  for (const path of new Set([...asked, null])) {
    try {
      const place = await openPlace(kernel, path, options.receiveBuffer);
      missedEvents ??= place.missedEvents;
      if (asked.includes(path)) places.push(place);
      if (path === null) own = place;
    } catch (error) {
      const denied = error instanceof KernelError && (error.code === 'EPERM' || error.code === 'EACCES');
      missing.push({ name: nameOf(path), reason: reasonOf(error), denied });
    }
  }
  return {
    ...{ options, places, own, missing, missedEvents },
    strategyOf: (vni) => strategyOf(options.strategy, vni),
  };
}

export function closeScene({ places, own }: Scene): void {
  // Its sockets go with the subscription, and there is none yet.
  for (const { kernel } of new Set([...places, ...(own === undefined ? [] : [own])]))
    kernel.events$.subscribe().unsubscribe();
}

async function openPlace(
  kernel: Kernel,
  path: string | null,
  receiveBuffer: number,
): Promise<Place & { missedEvents?: string }> {
  const namespace = kernel.open(path, { receiveBuffer });
  const [links, addresses, details] = await Promise.all([
    namespace.links(),
    namespace.addresses(),
    linkDetails(path).catch(reasonOf),
  ]);
  const place = {
    ...{ path, name: nameOf(path), kernel: namespace, addresses },
    links: new Map(links.map((link) => [link.ifindex, link])),
  };
  return typeof details === 'string'
    ? { ...place, details: new Map(), missedEvents: details }
    : { ...place, details };
}

/** For people. */
export const nameOf = (path: string | null): string =>
  path === null ? 'own' : path.replace(/^\/(var\/)?run\/netns\//, '');

/** The devices that missd would serve, or would if it could. */
export function subjects({ places, options, strategyOf }: Scene): Subject[] {
  return places.flatMap((place) =>
    [...place.links.values()]
      .filter(isVxlan)
      .filter((link) => isWanted(link, options.device, strategyOf))
      .map((link) => subject(place, link, strategyOf)),
  );
}

export const subject = (place: Place, link: VxlanLink, strategyOf: Scene['strategyOf']): Subject => ({
  ...{ place, link },
  name: place.path === null ? link.name : `${link.name}@${place.name}`,
  strategy: strategyOf(link.vxlan.vni),
  bridge: link.bridgePort === undefined ? undefined : place.links.get(link.master),
});

/** Addresses that are this host's, as far as can be seen. */
export function ownVteps(scene: Scene): Set<Ip> {
  const own = new Set(scene.options.local);
  for (const place of [...scene.places, ...(scene.own === undefined ? [] : [scene.own])])
    for (const { ip } of place.addresses) own.add(ip);
  for (const { link } of subjects(scene)) if (link.vxlan.local !== undefined) own.add(link.vxlan.local);
  return own;
}

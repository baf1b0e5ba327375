/** Reads the namespaces to be examined, once for all groups. */
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
  /** Null for the namespace of this process. */
  path: string | null;
  /** `own`, a name under /run/netns, or a path. */
  name: string;
  kernel: Namespace;
  links: ReadonlyMap<number, Link>;
  /** Details from iproute2; empty if iproute2 is not installed. */
  details: ReadonlyMap<number, LinkDetails>;
  addresses: readonly InterfaceAddress[];
}

export interface Scene {
  options: DoctorOptions;
  /** The namespaces of `--netns`; without the option the own one. */
  places: readonly Place[];
  /** The namespace of this process, also if `--netns` does not name it: its addresses are those of the host. */
  own: Place | undefined;
  /** Namespaces that could not be opened. `denied`: because a privilege is missing. */
  missing: readonly { name: string; reason: string; denied: boolean }[];
  /** Why iproute2 gave no details. */
  iprouteError: string | undefined;
  strategyOf: (vni: Vni) => Strategy;
}

/** A VXLAN device that missd would serve, and its namespace. */
export interface Subject {
  place: Place;
  link: VxlanLink;
  /** As findings name it. */
  name: string;
  strategy: Strategy;
  /** The bridge that has the device as a port. */
  bridge: Link | undefined;
}

/** Opens the namespaces of the options; `closeScene` closes them. Never rejects. */
export async function openScene(kernel: Kernel, options: DoctorOptions): Promise<Scene> {
  const asked: (string | null)[] = options.netns.length === 0 ? [null] : options.netns;
  const places: Place[] = [];
  const missing: Scene['missing'][number][] = [];
  let iprouteError: string | undefined;
  let own: Place | undefined;
  for (const path of new Set([...asked, null])) {
    try {
      const place = await openPlace(kernel, path, options.receiveBuffer);
      iprouteError ??= place.iprouteError;
      if (asked.includes(path)) places.push(place);
      if (path === null) own = place;
    } catch (error) {
      const denied = error instanceof KernelError && (error.code === 'EPERM' || error.code === 'EACCES');
      missing.push({ name: nameOf(path), reason: reasonOf(error), denied });
    }
  }
  return {
    ...{ options, places, own, missing, iprouteError },
    strategyOf: (vni) => strategyOf(options.strategy, vni),
  };
}

export function closeScene({ places, own }: Scene): void {
  // The end of a subscription closes the sockets, so one has to begin first.
  for (const { kernel } of new Set([...places, ...(own === undefined ? [] : [own])]))
    kernel.events$.subscribe().unsubscribe();
}

async function openPlace(
  kernel: Kernel,
  path: string | null,
  receiveBuffer: number,
): Promise<Place & { iprouteError?: string }> {
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
    ? { ...place, details: new Map(), iprouteError: details }
    : { ...place, details };
}

/** The name of a namespace in the output. */
export const nameOf = (path: string | null): string =>
  path === null ? 'own' : path.replace(/^\/(var\/)?run\/netns\//, '');

/** The devices that missd would serve, including those that it has to refuse. */
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

/** Addresses of this host in the namespaces that were opened. */
export function ownVteps(scene: Scene): Set<Ip> {
  const own = new Set(scene.options.local);
  for (const place of [...scene.places, ...(scene.own === undefined ? [] : [scene.own])])
    for (const { ip } of place.addresses) own.add(ip);
  for (const { link } of subjects(scene)) if (link.vxlan.local !== undefined) own.add(link.vxlan.local);
  return own;
}

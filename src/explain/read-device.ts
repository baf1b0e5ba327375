/** Reads the VXLAN device of a VNI, and the kernel's entries for one address. */
import type { VxlanLink } from '../model/vxlan-link.ts';
import { RuntimeFailure } from '../base/errors.ts';
import { inside } from '../inspect/inside.ts';
import { recreated } from '../inspect/recreate.ts';
import { neighbourDetails } from '../inspect/neighbours.ts';
import { underlayPath } from '../inspect/underlay.ts';
import type { Namespace } from '../kernel/kernel.ts';
import { isVxlan, refusal } from '../links/servable.ts';
import { isPermanent } from '../entries/ownership.ts';
import type { Ip, Link, Mac, Vni } from '../base/vocabulary.ts';
import type { BridgedFacts, DeviceFacts, Facts, Heard, NeighbourFacts } from './facts.ts';

export const ZEROS: Mac = '00:00:00:00:00:00';

/** A namespace, opened, with all its links. */
export interface Opened {
  /** Null for the namespace of this command. */
  path: string | null;
  kernel: Namespace;
  links: ReadonlyMap<number, Link>;
}

/**
 * @param names restricts the answer to these devices, unless it is empty
 * @throws RuntimeFailure if a named device is not a VXLAN device of this VNI
 */
export function devicesOf(links: Iterable<Link>, vni: Vni, names: readonly string[]): VxlanLink[] {
  const all = [...links];
  for (const name of names) {
    const link = all.find((one) => one.name === name);
    if (link === undefined) continue;
    if (!isVxlan(link)) throw new RuntimeFailure(`${name} is not a VXLAN device`);
    if (link.vxlan.external)
      throw new RuntimeFailure(`${name} is an external (vnifilter) device, which has no VNI of its own`);
    if (link.vxlan.vni !== vni) throw new RuntimeFailure(`${name} has VNI ${link.vxlan.vni}, not ${vni}`);
  }
  return all.filter(
    (link): link is VxlanLink =>
      isVxlan(link) &&
      !link.vxlan.external &&
      link.vxlan.vni === vni &&
      (names.length === 0 || names.includes(link.name)),
  );
}

/** The namespace that the device's packets leave from. */
interface Outside {
  path: string | null | undefined;
  /** ifindex of the interface in that namespace that has the device's `local` address. */
  home?: number;
}

export async function readDevice(
  opened: Opened,
  link: VxlanLink,
  address: string,
  locals: readonly Ip[],
): Promise<{ device: DeviceFacts; underlay: Outside }> {
  const { path, kernel, links } = opened;
  const bridge = link.bridgePort === undefined ? undefined : links.get(link.master);
  const addresses = await kernel.addresses();
  const outer = link.linkNetnsid === undefined ? [] : await kernel.addresses(link.linkNetnsid);
  const [zeros] = kernel.getFdb([{ ifindex: link.ifindex, lladdr: ZEROS }]);
  const refused = refusal(link, links);
  const family = address.includes('.') ? 4 : 6;
  const solicit = bridge === undefined ? kernel.getAppSolicit(link.ifindex, family) : undefined;
  const device: DeviceFacts = {
    link,
    path,
    ...(bridge !== undefined && { bridge }),
    ...(refused !== undefined && { refusal: refused }),
    ...(zeros?.vtep !== undefined && { defaultRemote: zeros.vtep }),
    ...(solicit !== undefined && { appSolicit: solicit }),
    recreate: recreated(link, path, links),
    locked: await isLocked(path, link.ifindex),
    ownVteps: [
      ...new Set([...locals, ...[...addresses, ...outer].map(({ ip }) => ip), link.vxlan.local ?? []].flat()),
    ],
    assignedTo: addresses
      .filter(({ ip }) => ip === address)
      .map(({ ifindex }) => links.get(ifindex)?.name ?? String(ifindex)),
    heard: bridge === undefined ? [] : await heardBy(opened, bridge),
  };
  const at = (outer.length > 0 ? outer : addresses).find(({ ip }) => ip === link.vxlan.local);
  const outside = await underlayPath(path, kernel, link);
  return { device, underlay: { path: outside, ...(at !== undefined && { home: at.ifindex }) } };
}

/** MACs that the bridge learned, the latest first. */
async function heardBy({ kernel, links }: Opened, bridge: Link): Promise<Heard[]> {
  const rows = await kernel.bridgeFdb(bridge.ifindex);
  return rows
    .filter((row) => !isPermanent(row) && row.ifindex !== bridge.ifindex)
    .map(({ lladdr, ifindex, updatedAgo }) => ({
      mac: lladdr,
      port: links.get(ifindex)?.name ?? String(ifindex),
      ago: updatedAgo,
    }))
    .sort((a, b) => a.ago - b.ago);
}

/** Whether a missd holds the lock of the device (links/device-set.ts). Only the device's namespace shows the lock. */
async function isLocked(path: string | null, ifindex: number): Promise<boolean> {
  const { stdout } = await inside(path, ['cat', '/proc/net/unix']);
  return stdout.split('\n').some((line) => line.endsWith(` @missd/device/${ifindex}`));
}

export async function readNeighbour(
  { path, kernel }: Opened,
  { ifindex, name }: Link,
  ip: Ip,
): Promise<NeighbourFacts | undefined> {
  const [row] = kernel.getNeighbours([{ ifindex, ip }]);
  if (row === undefined) return undefined;
  const [details] = await neighbourDetails(path, ip, name).catch(() => []);
  return {
    row,
    ...(details?.updatedAgo !== undefined && { updatedAgo: details.updatedAgo }),
  };
}

/** Reads the FDB entries of a MAC: of the VXLAN device, and of the bridge. */
export function readForwarding(
  { kernel, links }: Opened,
  link: VxlanLink,
  bridge: Link | undefined,
  mac: Mac,
): Pick<Facts, 'fdb' | 'bridged'> {
  const [fdb] = kernel.getFdb([{ ifindex: link.ifindex, lladdr: mac }]);
  const [row] = bridge === undefined ? [] : kernel.getBridgeFdb(bridge.ifindex, [mac]);
  const bridged: BridgedFacts | undefined = row && {
    row,
    port: links.get(row.ifindex)?.name ?? String(row.ifindex),
    behindTunnel: row.ifindex === link.ifindex,
  };
  return { ...(fdb !== undefined && { fdb }), ...(bridged !== undefined && { bridged }) };
}

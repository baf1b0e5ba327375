/** The VXLAN device of a VNI, and the kernel's rows about one address. */
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
  /** Null for the one this command runs in. */
  path: string | null;
  kernel: Namespace;
  links: ReadonlyMap<number, Link>;
}

/**
 * The devices of a VNI, of those named where any are.
 * @throws RuntimeFailure naming a device that is not there or is none of the VNI's
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

/** Where its packets leave from. */
interface Outside {
  path: string | null | undefined;
  /** ifindex there of the interface with the device's own VTEP address. */
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

/** What the bridge heard on ports other than VXLAN devices, the latest first. */
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

/** Whether some missd holds the device's lock, which is seen in its namespace alone; see links/device-set.ts. */
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

/** Where frames to a MAC go: by the device's own table, and by the bridge's. */
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

/** Probes two paths: to the VTEP through the underlay, and from a guest to the address. */
import type { VxlanLink } from '../model/vxlan-link.ts';
import { z } from 'zod';
import { isLinkLocal } from '../base/address.ts';
import { reasonOf } from '../base/errors.ts';
import { fromJson, printed } from '../inspect/inside.ts';
import { type LinkDetails, type Path, linkDetails, overhead, pathTo } from '../inspect/iproute.ts';
import { neighbourDetails } from '../inspect/neighbours.ts';
import { ping } from '../inspect/ping.ts';
import { isRefused } from '../inspect/udp.ts';
import type { Ip, Mac } from '../base/vocabulary.ts';
import type { GuestFacts, UnderlayFacts } from './facts.ts';

/** Bytes of an IP packet that fits every link. */
const SMALL = 100;

/**
 * @param path of the namespace that packets leave from; undefined if it has no name here
 */
export async function readUnderlay(
  path: string | null | undefined,
  vtep: Ip,
  { mtu, vxlan }: VxlanLink,
  home: number | undefined,
): Promise<UnderlayFacts> {
  const size = mtu + overhead(vtep.includes(':') ? 6 : 4);
  const facts: UnderlayFacts = { vtep, path, size };
  if (path === undefined) return facts;
  const links = [...(await linkDetails(path).catch(() => new Map<number, LinkDetails>())).values()];
  const homeLink = links.find((one) => one.ifindex === home);
  if (homeLink !== undefined) facts.home = homeLink;
  const to = zoned(vtep, links.find((one) => one.ifindex === vxlan.link)?.name);
  const route = await routeTo(path, to);
  if (typeof route === 'string') return { ...facts, unrouted: route };
  const link = links.find((one) => one.name === route.device);
  const [small, full, refused] = await Promise.all([
    ping(path, to, SMALL),
    ping(path, to, size),
    isRefused(path, to, vxlan.dstport),
  ]);
  const fits =
    small.outcome === 'answered' && full.outcome === 'silent' ? await largest(path, to, size) : undefined;
  // The probes make the kernel resolve the neighbour, so it is read after them.
  const [neighbour] = await neighbourDetails(path, route.gateway ?? vtep, route.device).catch(() => []);
  return {
    ...facts,
    route,
    ...(link !== undefined && { link }),
    ...(neighbour !== undefined && { neighbour }),
    refused,
    small,
    full,
    ...(fits !== undefined && { fits }),
  };
}

/** Usual MTUs, bytes: jumbo frames, Ethernet, PPPoE, tunnels, and the minimum of IPv6 (RFC 8200). */
const USUAL = [
  8950, 8900, 1500, 1492, 1480, 1476, 1460, 1450, 1440, 1430, 1420, 1400, 1380, 1360, 1340, 1320, 1300, 1280,
];

/** Tries the usual sizes, for a path whose routers report no MTU. */
async function largest(path: string | null, vtep: string, below: number): Promise<number | undefined> {
  const sizes = USUAL.filter((size) => size < below);
  const tried = await Promise.all(sizes.map((size) => ping(path, vtep, size)));
  return sizes.find((_, at) => tried[at]?.outcome === 'answered');
}

const addressSchema = z.array(
  z.object({
    ifname: z.string(),
    address: z.string().optional(),
    mtu: z.number(),
    addr_info: z.array(z.object({ local: z.string().optional() })),
  }),
);

/** @throws Error if there is no such namespace */
export async function readGuest(path: string, ip: Ip): Promise<GuestFacts> {
  const interfaces = addressSchema.parse(fromJson(await printed(path, ['ip', '-j', 'address', 'show'])));
  const holder = interfaces.find(({ addr_info }) => addr_info.some(({ local }) => local === ip));
  if (holder !== undefined) {
    const own: { mac: Mac; device: string } = { mac: holder.address ?? '', device: holder.ifname };
    return { path, own, mtu: holder.mtu };
  }
  const route = await routeTo(path, ip);
  if (typeof route === 'string') return { path, unrouted: route };
  const mtu = route.mtu ?? interfaces.find(({ ifname }) => ifname === route.device)?.mtu ?? 1500;
  const [small, full] = await Promise.all([ping(path, ip, SMALL), ping(path, ip, mtu)]);
  const [neighbour] = await neighbourDetails(path, route.gateway ?? ip, route.device).catch(() => []);
  return { path, route, mtu, ...(neighbour !== undefined && { neighbour }), small, full };
}

/** A link-local address needs its interface (RFC 4007). */
export const zoned = (vtep: Ip, device: string | undefined): string =>
  isLinkLocal(vtep) && device !== undefined ? `${vtep}%${device}` : vtep;

export const routeTo = (path: string | null, ip: string): Promise<Path | string> =>
  pathTo(path, ip).catch((error: unknown) => reasonOf(error));

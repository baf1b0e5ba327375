/** The interfaces of a namespace as `ip` shows them: aliases and settings that the addon does not read. */
import { z } from 'zod';
import { reasonOf } from '../base/errors.ts';
import type { Ip, Mac, Vni } from '../base/vocabulary.ts';
import { fromJson, printed } from '../inspect/inside.ts';

export interface SceneAddress {
  ip: Ip;
  length: number;
  /** `global`, `link`, `host`. */
  scope: string;
  /** Not one that other hosts should know: temporary (RFC 8981), deprecated or not usable yet. */
  passing: boolean;
}

export interface SceneLink {
  ifindex: number;
  name: string;
  kind: string;
  alias: string | undefined;
  up: boolean;
  loopback: boolean;
  mtu: number;
  mac: Mac | undefined;
  /** Name of the bridge it is a port of. */
  master: string | undefined;
  vxlan: SceneVxlan | undefined;
  vlanFiltering: boolean;
  addresses: SceneAddress[];
}

interface SceneVxlan {
  vni: Vni | undefined;
  local: Ip | undefined;
  port: number | undefined;
  /** Default remote or multicast group. */
  remote: Ip | undefined;
  learning: boolean;
  proxy: boolean;
  l2miss: boolean;
  l3miss: boolean;
}

/** By name. */
export type Scene = ReadonlyMap<string, SceneLink>;

const flag = z.boolean().optional().default(false);
/** Only what is used; versions of iproute2 differ in the rest. */
const linkSchema = z.object({
  ifindex: z.number(),
  ifname: z.string(),
  flags: z.array(z.string()).default([]),
  mtu: z.number(),
  master: z.string().optional(),
  address: z.string().optional(),
  ifalias: z.string().optional(),
  linkinfo: z
    .object({
      info_kind: z.string().optional(),
      info_data: z
        .object({
          id: z.union([z.number(), z.string()]).optional(),
          local: z.string().optional(),
          local6: z.string().optional(),
          remote: z.string().optional(),
          remote6: z.string().optional(),
          group: z.string().optional(),
          group6: z.string().optional(),
          port: z.number().optional(),
          learning: flag,
          proxy: flag,
          l2miss: flag,
          l3miss: flag,
          vlan_filtering: z.number().optional(),
        })
        .optional(),
    })
    .optional(),
  addr_info: z
    .array(
      z.object({
        local: z.string().optional(),
        prefixlen: z.number().optional(),
        scope: z.string().optional(),
        temporary: flag,
        deprecated: flag,
        tentative: flag,
        dadfailed: flag,
      }),
    )
    .default([]),
});

/** @param path of the namespace, null for the daemon's own. @throws Error where iproute2 cannot say */
export async function readScene(path: string | null): Promise<Scene> {
  return parseScene(await printed(path, ['ip', '-j', '-d', 'address', 'show']));
}

export function parseScene(text: string): Scene {
  // iproute2 prints an empty object for a link that went away while it was read.
  const listed = z.array(z.unknown()).parse(fromJson(text));
  const found = listed.filter((one) => typeof one === 'object' && one !== null && 'ifname' in one);
  try {
    return new Map(found.map((one) => linkSchema.parse(one)).map((link) => [link.ifname, linkOf(link)]));
  } catch (error) {
    throw new Error(`ip address show: ${reasonOf(error)}`, { cause: error });
  }
}

function linkOf(raw: z.infer<typeof linkSchema>): SceneLink {
  const { ifindex, ifname: name, flags, mtu, master, address: mac, ifalias: alias, linkinfo } = raw;
  const data = linkinfo?.info_data;
  return {
    ...{ ifindex, name, mtu, master, mac, alias },
    kind: linkinfo?.info_kind ?? '',
    up: flags.includes('UP'),
    loopback: flags.includes('LOOPBACK'),
    vlanFiltering: data?.vlan_filtering === 1,
    vxlan:
      linkinfo?.info_kind !== 'vxlan' || data === undefined
        ? undefined
        : {
            vni: typeof data.id === 'number' ? data.id : undefined,
            local: data.local ?? data.local6,
            port: data.port,
            remote: data.remote ?? data.remote6 ?? data.group ?? data.group6,
            ...{ learning: data.learning, proxy: data.proxy, l2miss: data.l2miss, l3miss: data.l3miss },
          },
    addresses: raw.addr_info.flatMap(({ local: ip, prefixlen: length, scope, ...state }) =>
      ip === undefined || length === undefined
        ? []
        : [
            {
              ...{ ip, length, scope: scope ?? 'global' },
              passing: state.temporary || state.deprecated || state.tentative || state.dadfailed,
            },
          ],
    ),
  };
}

export interface SceneRoute {
  family: 4 | 6;
  /** `default`, a prefix, or an address without a length. */
  dst: string;
  dev: string | undefined;
  gateway: Ip | undefined;
  source: Ip | undefined;
  metric: number;
  /** Its interface has no carrier or is down. */
  dead: boolean;
}

const routeSchema = z.array(
  z.object({
    dst: z.string(),
    dev: z.string().optional(),
    gateway: z.string().optional(),
    prefsrc: z.string().optional(),
    metric: z.number().default(0),
    flags: z.array(z.string()).default([]),
  }),
);

/** Routes of the main table. @param which further words of `ip route show` @throws Error where iproute2 cannot say */
export async function readRoutes(
  path: string | null,
  family: 4 | 6,
  which: readonly string[],
): Promise<SceneRoute[]> {
  const text = await printed(path, ['ip', '-j', `-${family}`, 'route', 'show', ...which]);
  return parseRoutes(text, family);
}

export function parseRoutes(text: string, family: 4 | 6): SceneRoute[] {
  if (text.trim() === '') return [];
  return routeSchema.parse(fromJson(text)).map(({ dst, dev, gateway, prefsrc: source, metric, flags }) => ({
    ...{ family, dst, dev, gateway, source, metric },
    dead: flags.includes('linkdown') || flags.includes('dead'),
  }));
}

/** Details of links and routes from iproute2 that the addon does not read. */
import { z } from 'zod';
import { reasonOf } from '../base/errors.ts';
import type { Ip } from '../base/vocabulary.ts';
import { fromJson, inside, printed } from './inside.ts';

/** Only the fields that missd uses, because versions of iproute2 differ in the others. */
const linkSchema = z.object({
  ifindex: z.number(),
  ifname: z.string(),
  mtu: z.number(),
  flags: z.array(z.string()),
  operstate: z.string().default('UNKNOWN'),
  linkinfo: z
    .object({
      info_kind: z.string().optional(),
      info_data: z
        .object({
          mcast_snooping: z.number().optional(),
          mcast_querier: z.number().optional(),
          stp_state: z.number().optional(),
          df: z.string().optional(),
        })
        .optional(),
      info_slave_kind: z.string().optional(),
      info_slave_data: z
        .object({ state: z.string().optional(), isolated: z.boolean().optional() })
        .optional(),
    })
    .optional(),
});

export interface LinkDetails {
  ifindex: number;
  name: string;
  mtu: number;
  up: boolean;
  /** IFF_UP and IFF_LOWER_UP. */
  carrier: boolean;
  /** Only on bridges. */
  bridge?: { snooping: boolean; querier: boolean; stp: boolean };
  /** Only on bridge ports. `state` as `bridge link` has it: forwarding, blocking, … */
  port?: { state: string; isolated: boolean };
}

/** @returns links by ifindex @throws Error if iproute2 is not installed or its output cannot be parsed */
export async function linkDetails(path: string | null): Promise<Map<number, LinkDetails>> {
  return parseLinks(await printed(path, ['ip', '-j', '-d', 'link', 'show']));
}

export function parseLinks(text: string): Map<number, LinkDetails> {
  const links = z.array(linkSchema).parse(fromJson(text));
  return new Map(links.map((link) => [link.ifindex, details(link)]));
}

function details({ ifindex, ifname, mtu, flags, linkinfo }: z.infer<typeof linkSchema>): LinkDetails {
  const data = linkinfo?.info_data;
  const slave = linkinfo?.info_slave_data;
  const up = flags.includes('UP');
  return {
    ifindex,
    name: ifname,
    mtu,
    up,
    carrier: up && !flags.includes('NO-CARRIER') && flags.includes('LOWER_UP'),
    ...(linkinfo?.info_kind === 'bridge' && {
      bridge: {
        snooping: data?.mcast_snooping === 1,
        querier: data?.mcast_querier === 1,
        stp: (data?.stp_state ?? 0) !== 0,
      },
    }),
    ...(linkinfo?.info_slave_kind === 'bridge' && {
      port: { state: slave?.state ?? 'unknown', isolated: slave?.isolated === true },
    }),
  };
}

/** The route to an address. */
export interface Path {
  device: string;
  source?: Ip;
  gateway?: Ip;
  /** MTU of the route, or learned for this destination; absent if the MTU of the device applies. */
  mtu?: number;
}

const routeSchema = z.object({
  type: z.string().optional(),
  dev: z.string().optional(),
  prefsrc: z.string().optional(),
  gateway: z.string().optional(),
  metrics: z.array(z.object({ mtu: z.number().optional() })).optional(),
});

/**
 * The route to an address from a namespace.
 * @param to an address; a link-local address with its interface, `fe80::2%eth0`
 * @returns the route, or the reason why there is none
 * @throws Error if iproute2 is not installed
 */
export async function pathTo(path: string | null, to: string): Promise<Path | string> {
  const [ip = '', device] = to.split('%');
  const by = device === undefined ? [] : ['oif', device];
  const { code, stdout, stderr } = await inside(path, ['ip', '-j', 'route', 'get', ip, ...by]);
  if (code !== 0) return stderr.replace(/^RTNETLINK answers: /, '').split('\n')[0] || 'no route';
  try {
    return parseRoute(stdout);
  } catch (error) {
    return `ip route get: ${reasonOf(error)}`;
  }
}

export function parseRoute(text: string): Path | string {
  const [route] = z.array(routeSchema).parse(fromJson(text));
  if (route === undefined) return 'no route';
  if (route.dev === undefined) return route.type ?? 'no route';
  const mtu = route.metrics?.find((one) => one.mtu !== undefined)?.mtu;
  return {
    device: route.dev,
    ...(route.prefsrc !== undefined && { source: route.prefsrc }),
    ...(route.gateway !== undefined && { gateway: route.gateway }),
    ...(mtu !== undefined && { mtu }),
  };
}

/** Bytes that VXLAN adds to a packet of the overlay: its Ethernet header, VXLAN, UDP and the outer IP header (RFC 7348). */
export const overhead = (family: 4 | 6): number => 14 + 8 + 8 + (family === 6 ? 40 : 20);

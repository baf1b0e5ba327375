/** The text of a network: JSON as its record in Redis has it, and a section of a directory file. Loaded on demand: zod takes memory. */
import { z } from 'zod';
import { UsageError } from '../base/errors.ts';
import type { Vni } from '../base/vocabulary.ts';
import {
  LEASE_BOUNDS,
  MODES,
  MTU_BOUNDS,
  type Network,
  PORTS_LIMIT_BOUNDS,
  PUBLISHING,
  refuseNetwork,
  USUAL_LEASE,
  USUAL_PORTS_LIMIT,
  usualLeaseLength,
  VXLAN_PORT,
} from './network.ts';

const within = ([least, most]: readonly [number, number]) => z.number().int().min(least).max(most);

/** What a network may be made of: everything that has a usual value may be absent. Its texts are judged by `refuseNetwork`. */
export const fields = {
  vni: within([1, 0xffffff]),
  mode: z.enum(MODES),
  subnet: z.string(),
  subnet6: z.string().optional(),
  leaseLength: within([1, 128]).optional(),
  port: within([1, 65_535]).default(VXLAN_PORT),
  mtu: z
    .union([z.literal('auto'), within(MTU_BOUNDS)], `expected "auto" or ${MTU_BOUNDS.join(' to ')}`)
    .default('auto'),
  gateway: z.string().optional(),
  publish: z.enum(PUBLISHING).default('learned'),
  lease: z.number().min(LEASE_BOUNDS[0]).max(LEASE_BOUNDS[1]).default(USUAL_LEASE),
  portsLimit: within(PORTS_LIMIT_BOUNDS).default(USUAL_PORTS_LIMIT),
  anycast: z.array(z.string()).default([]),
};
/** Fields that a newer missd may have added do not matter. */
const recordSchema = z.object({ name: z.string(), ...fields });

export type NetworkInput = z.input<typeof recordSchema>;

/** @throws UsageError in one line, with the name */
export function makeNetwork(input: NetworkInput): Network {
  return parsed(input, `network ${input.name.slice(0, 40)}`);
}

/**
 * The value of the record `{VNI}:network`.
 * @throws UsageError in one line, with the VNI
 */
export function parseNetwork(value: string, vni: Vni): Network {
  let plain: unknown;
  try {
    plain = JSON.parse(value);
  } catch {
    throw new UsageError(`the network of VNI ${vni}: is not JSON`);
  }
  const network = parsed(plain, `the network of VNI ${vni}`);
  if (network.vni !== vni) throw new UsageError(`the network of VNI ${vni}: names VNI ${network.vni}`);
  return network;
}

/** Fields in one order, so that equal networks have equal text. */
export const renderNetwork = (network: Network): string =>
  JSON.stringify(network, ['name', ...Object.keys(fields)]);

function parsed(plain: unknown, what: string): Network {
  const result = recordSchema.safeParse(plain);
  if (!result.success) {
    const [issue] = result.error.issues;
    const where =
      issue === undefined || issue.path.length === 0 ? '' : `${issue.path.map(String).join('.')}: `;
    throw new UsageError(`${what}: ${where}${issue?.message ?? 'is malformed'}`);
  }
  const { subnet6, gateway, leaseLength, ...rest } = result.data;
  const network: Network = {
    ...rest,
    ...(subnet6 !== undefined && { subnet6 }),
    ...(gateway !== undefined && { gateway }),
    leaseLength: leaseLength ?? usualLeaseLength(rest.subnet),
  };
  const reason = refuseNetwork(network);
  if (reason !== undefined) throw new UsageError(`${what}: ${reason}`);
  return network;
}

/** Details of neighbours from iproute2 that the addon does not read: their ages, and neighbours of other devices. */
import { z } from 'zod';
import type { Ip, Mac } from '../base/vocabulary.ts';
import { fromJson, printed } from './inside.ts';

/** A neighbour as `ip -s neigh` shows it. */
export interface NeighbourDetails {
  device: string;
  ip: Ip;
  /** Absent in the state INCOMPLETE or FAILED. */
  lladdr?: Mac;
  /** `REACHABLE`, `FAILED`, …; several states are joined by commas. */
  state: string;
  /** Seconds; absent if the kernel does not tell. */
  usedAgo?: number;
  confirmedAgo?: number;
  updatedAgo?: number;
}

const schema = z.array(
  z.object({
    dst: z.string(),
    dev: z.string().optional(),
    lladdr: z.string().optional(),
    state: z.array(z.string()).default([]),
    used: z.number().optional(),
    confirmed: z.number().optional(),
    updated: z.number().optional(),
  }),
);

/** @param device restricts the answer to this device */
export async function neighbourDetails(
  path: string | null,
  ip: Ip,
  device?: string,
): Promise<NeighbourDetails[]> {
  const of = device === undefined ? [] : ['dev', device];
  const text = await printed(path, ['ip', '-s', '-j', 'neigh', 'show', 'to', ip, ...of, 'nud', 'all']);
  return parseNeighbours(text, device);
}

export function parseNeighbours(text: string, device = ''): NeighbourDetails[] {
  if (text.trim() === '') return [];
  return schema.parse(fromJson(text)).map(({ dst, dev, lladdr, state, used, confirmed, updated }) => ({
    device: dev ?? device,
    ip: dst,
    ...(lladdr !== undefined && { lladdr }),
    state: state.join(',') || 'NONE',
    ...(used !== undefined && { usedAgo: used }),
    ...(confirmed !== undefined && { confirmedAgo: confirmed }),
    ...(updated !== undefined && { updatedAgo: updated }),
  }));
}

/** What ownership reads from Redis: companions of records, leases of hosts, messages between hosts. */
import { z } from 'zod';
import type { Ip } from '../../base/vocabulary.ts';
import type { HostState, Owner, OwnerMessage } from '../ownership.ts';
import { judgeIp, judgeMac } from '../record.ts';

const count = z
  .string()
  .regex(/^\d{1,15}$/)
  .transform(Number);
const companion = z.object({
  host: z.string(),
  incarnation: z.string(),
  epoch: count,
  vtep: z.string(),
  kind: z.enum(['learned', 'attached']),
  moves: count,
  since: count,
  first: z.string(),
  frozen: count,
});

/** Field of an address in a companion. */
const ADDRESS = 'ip:';

/** @param fields as HGETALL replies @returns undefined where there is no valid companion */
export function parseOwner(fields: unknown): Owner | undefined {
  const parsed = companion.safeParse(fields);
  if (!parsed.success) return undefined;
  const ips = Object.keys(fields as object).flatMap((field) =>
    field.startsWith(ADDRESS) ? [field.slice(ADDRESS.length)] : [],
  );
  return { ...parsed.data, ips };
}

/** @param value `INCARNATION COUNTER VTEP` */
export function parseHostLease(value: string | null | undefined): HostState['lease'] {
  const [, incarnation = '', vtep = ''] = /^([0-9a-f]+) \d+ (\S+)$/.exec(value ?? '') ?? [];
  return vtep === '' ? undefined : { incarnation, vtep: vtep satisfies Ip };
}

const mac = z.string().refine((text) => judgeMac(text) === undefined);
const message = z.object({
  type: z.enum(['claim', 'released', 'refused']),
  vni: z.int().min(1).max(0xffffff),
  from: z.string().min(1).max(64),
  mac,
  ip: z.string().refine((text) => judgeIp(text) === undefined),
  owner: mac,
});

/** Any client of Redis can send a message. */
export function parseOwnerMessage(text: string): OwnerMessage | undefined {
  try {
    return message.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

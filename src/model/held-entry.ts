/** An entry of the desired tables: a neighbour or an FDB entry. */
import type { Ip, Mac } from '../base/vocabulary.ts';
import type { Member } from './port-quotas.ts';

/** The record an entry was written from; `adopted` entries were found in the kernel and wait for their record to be read. */
export interface Source {
  kind: 'ip' | 'mac' | 'lease' | 'adopted';
  /** The record's address, or the lease's CIDR. */
  name: string;
}

interface Facts {
  source: Source;
  /** When the record was last read, monotonic ms. */
  checkedAt: number;
  /** When the entry was last used: a miss, or another sign of use. Monotonic ms. */
  usedAt: number;
}

export interface NeighbourFacts extends Facts {
  ip: Ip;
  mac: Mac;
}

export interface FdbFacts extends Facts {
  mac: Mac;
  vtep: Ip;
  router: boolean;
}

/** A neighbour that missd wrote and answers for. */
export type HeldNeighbour = NeighbourFacts & Member;

/** Addresses of the neighbours that need an FDB entry. Mostly one, stored without a Set. */
export type Users = Ip | Set<Ip> | undefined;

/** An FDB entry that missd wrote and answers for. In a quota only while no neighbour needs it. */
export type HeldFdbEntry = FdbFacts & Member & { users: Users };

export function withUser(users: Users, ip: Ip): Ip | Set<Ip> {
  if (users === undefined) return ip;
  return typeof users === 'object' ? users.add(ip) : new Set([users, ip]);
}

/** Whether the entry was written from the `ip:` record of that address. */
export const isFrom = ({ source }: HeldFdbEntry, ip: Ip): boolean =>
  source.kind === 'ip' && source.name === ip;

export const usersIn = (users: Users): Iterable<Ip> =>
  users === undefined ? [] : typeof users === 'string' ? [users] : users;

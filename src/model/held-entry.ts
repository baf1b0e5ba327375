/** What is held of a neighbour and of an FDB entry. */
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
  /** When its record was last read, monotonic ms. */
  checkedAt: number;
  /** When it was last seen to be wanted: a miss, or another sign of use. Monotonic ms. */
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

/** Addresses of the held neighbours that need an FDB entry. Mostly one, which then costs no Set. */
export type Users = Ip | Set<Ip> | undefined;

/** An FDB entry that missd wrote and answers for. In a share only while no held neighbour needs it. */
export type HeldFdbEntry = FdbFacts & Member & { users: Users };

export function withUser(users: Users, ip: Ip): Ip | Set<Ip> {
  if (users === undefined) return ip;
  return typeof users === 'object' ? users.add(ip) : new Set([users, ip]);
}

/** Whether it was written from the `ip:` record of that address. */
export const isFrom = ({ source }: HeldFdbEntry, ip: Ip): boolean =>
  source.kind === 'ip' && source.name === ip;

export const usersIn = (users: Users): Iterable<Ip> =>
  users === undefined ? [] : typeof users === 'string' ? [users] : users;

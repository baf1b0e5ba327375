/** What a host knows of the guests with one address, for `missd explain`: part of the JSON of `/history`. Times in seconds. */
import type { Ip, Mac } from '../base/vocabulary.ts';
import type { LearnedFrom, LocalGuest } from './guest-table.ts';
import type { Claims } from './claims.ts';
import type { LeaseLoss } from './publish-counters.ts';
import type { AddressState, PublishedGuests } from './published-guests.ts';

export interface PublishAccount {
  network: string;
  /** Id of this host. */
  host: string;
  /** Until the lease of this host ends if it is not renewed; 0 while it has none. */
  lease: number;
  /** Why this host has no lease. */
  loss?: LeaseLoss;
  guests: GuestAccount[];
  /** Claims of guests of this host to an address that another MAC has. `refused`: the other guest answers. */
  claims: { mac: Mac; ip: Ip; owner: Mac; host: string; refused: boolean }[];
  /** Claims of others to an address of a guest of this host, refused within 180 s. */
  refused: { mac: Mac; ip: Ip; owner: Mac; host: string; ago: number }[];
}

/** A guest of this host. */
export interface GuestAccount {
  mac: Mac;
  port: string;
  ago: number;
  learnedFrom?: LearnedFrom;
  /** The host that keeps the MAC, which moved too often. */
  frozen?: string;
  ips: { ip: Ip; ago: number; learnedFrom?: LearnedFrom; state: AddressState }[];
}

/** Where it comes from: the publisher of a network. */
export interface AccountSource {
  network: { name: string };
  lease: { id: string; remaining: number; loss: LeaseLoss | undefined };
  /** These two only while the device of the network is served. */
  guests: { known(): Iterable<LocalGuest> } | undefined;
  publisher:
    | {
        published: Pick<PublishedGuests, 'get'>;
        claims: Pick<Claims, 'open' | 'refused'>;
        frozen: ReadonlyMap<Mac, string>;
      }
    | undefined;
  portName(port: number): string;
}

/** Of each list; a MAC with a thousand addresses says no more. */
const MOST = 16;

/** @param address IP or MAC @param now monotonic ms */
export function publishAccount(network: AccountSource, address: string, now: number): PublishAccount {
  const { lease, guests, publisher } = network;
  const isOf = ({ ip, mac, owner }: { ip: Ip; mac: Mac; owner: Mac }): boolean =>
    [ip, mac, owner].includes(address);
  const ago = (at: number): number => Math.max(0, Math.round(now - at)) / 1000;
  const account = ({ mac, port, ips, seenAt, learnedFrom }: LocalGuest): GuestAccount => {
    const states = publisher?.published.get(mac);
    const frozen = publisher?.frozen.get(mac);
    const from = learnedFrom.get(undefined);
    return {
      ...{ mac, port: network.portName(port), ago: ago(seenAt) },
      ...(from !== undefined && { learnedFrom: from }),
      ...(frozen !== undefined && { frozen }),
      ips: [...ips]
        .filter(([ip]) => address === mac || address === ip)
        .slice(0, MOST)
        .map(([ip, at]) => {
          const heard = learnedFrom.get(ip);
          const state = states?.get(ip) ?? 'unknown';
          return { ip, ago: ago(at), ...(heard !== undefined && { learnedFrom: heard }), state };
        }),
    };
  };
  const known = [...(guests?.known() ?? [])].filter(({ mac, ips }) => mac === address || ips.has(address));
  return {
    ...{ network: network.network.name, host: lease.id, lease: lease.remaining / 1000 },
    ...(lease.loss !== undefined && { loss: lease.loss }),
    guests: known.slice(0, MOST).map(account),
    claims: [...(publisher?.claims.open() ?? [])]
      .filter(isOf)
      .slice(0, MOST)
      .map(({ mac, ip, owner, host, refused }) => ({ mac, ip, owner, host, refused })),
    refused: (publisher?.claims.refused() ?? [])
      .filter(isOf)
      .slice(-MOST)
      .map(({ mac, ip, owner, host, at }) => ({ mac, ip, owner, host, ago: ago(at) })),
  };
}

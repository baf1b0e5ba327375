import type { Network } from '../directory/network.ts';
import type { Ip, Mac } from '../base/vocabulary.ts';

/** A network that this host has joined: its device stands and is right. */
export interface JoinedNetwork {
  network: Network;
  /** Path of the namespace of device and bridge, a key of `Host.namespaces`. */
  namespace: string;
  /** Names. */
  device: string;
  bridge: string;
  /** Address of this host as VTEP: the device's `local`. */
  vtep: Ip;
  /** Of the device, which subnet leases name. */
  mac: Mac;
  mtu: number;
  /** Prefix of this host; only in a routed network. */
  prefix?: string;
}

/** How it stands with a network of `--join`. */
export type JoinState = { network: string } & (
  | ({ state: 'joined' } & Omit<JoinedNetwork, 'network'> & { vni: number; mode: Network['mode'] })
  /** `waiting`: for the directory, the record or the namespace. `failed`: tried again. */
  | { state: 'waiting' | 'failed'; reason: string }
);

/** Alias of every interface that missd made for a network (IFLA_IFALIAS): what `missd leave` removes. */
export const aliasOf = (name: string): string => `missd:${name}`;

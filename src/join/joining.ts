/** What the joining of networks needs, and what is known of each of them. */
import type { Observable } from 'rxjs';
import type { Clock } from '../base/clock.ts';
import type { Faults } from '../base/guarded-lane.ts';
import type { FoldedLog, Logger } from '../base/log.ts';
import type { Ip, Link } from '../base/vocabulary.ts';
import type { Directory } from '../directory/directory.ts';
import { type Network, bridgeName } from '../directory/network.ts';
import type { LinkEvent } from '../links/namespace-event.ts';
import type { Standing } from './establish.ts';
import type { JoinedNetwork } from './joined.ts';
import { BridgePorts } from './ports.ts';

/** Where the links of the host are known. */
export interface JoinHost {
  /** Changes of links and addresses in the served namespaces. */
  readonly links$: Observable<LinkEvent>;
  /** Links of a served namespace, by its path. */
  linksOf(namespace: string): Iterable<Link>;
  /** Whether the device is served. */
  isServed(namespace: string, device: string): boolean;
}

export interface JoinDeps {
  directory: Pick<Directory, 'network'>;
  host: JoinHost;
  log: Logger;
  complaints: FoldedLog;
  faults: Faults;
  now: Clock;
  /** Acquires this host's prefix of a routed network. */
  prefixOf: (network: Network, vtep: Ip) => Promise<string>;
  /** Gives back what the directory has of this host in a network that it leaves. */
  release: (joined: JoinedNetwork) => Promise<void>;
  /** Called after each look that found, or made, everything right: settings that the kernel reports no change of are looked at. */
  stands: (joined: JoinedNetwork) => void;
}

/** A network of `--join`, and how it stands with it. */
export interface Joining {
  readonly name: string;
  readonly ports: BridgePorts;
  network: Network | undefined;
  /** Whether the record is to be read again. */
  recordDue: boolean;
  /** Monotonic ms. */
  readAt: number;
  standing: Standing;
  joined: JoinedNetwork | undefined;
  /** Why it is not right now; absent when it is. */
  trouble: { state: 'waiting' | 'failed'; reason: string } | undefined;
  /** When it is looked at next, monotonic ms. */
  due: number;
  repairedAt: number;
  failures: number;
  /** The look under way. */
  looking: Promise<void> | undefined;
}

/** One that nobody has looked at yet. */
export const newJoining = (name: string, now: Clock): Joining => ({
  ...{ name, ports: new BridgePorts(bridgeName({ name }), now), network: undefined },
  ...{ recordDue: true, readAt: -Infinity, standing: {}, joined: undefined, looking: undefined },
  ...{ due: now(), repairedAt: -Infinity, failures: 0 },
  trouble: { state: 'waiting', reason: UNSEEN },
});

export const UNSEEN = 'not looked at yet';

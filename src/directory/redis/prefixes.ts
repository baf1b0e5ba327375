/** Prefixes in Redis. TypeScript chooses candidates from the hash `{VNI}:prefixes`, and acquire-prefix.lua decides. */
import type { Cluster, Redis } from 'ioredis';
import type { Vni } from '../../base/vocabulary.ts';
import { DirectoryError } from '../directory.ts';
import type { Network } from '../network.ts';
import type { HostIdentity } from '../ownership.ts';
import { freePrefixes, isPrefixOf } from '../prefix-choice.ts';
import { type HeldPrefix, NoPrefixLeft, type PrefixPublished, type Prefixes } from '../prefixes.ts';
import { type Assignment, parseAssignment } from './assignment.ts';
import { isReplicated } from './durability.ts';
import type { RedisKeys } from './keys.ts';
import { misled } from './reason.ts';
import { RedisScripts } from './scripts.ts';

/** Attempts at acquisition while other hosts take the candidates. */
const MOST_ATTEMPTS = 10;
/** Ended hosts whose prefixes are tried in one step, and in all. */
const REUSED = 64;
const MOST_REUSED = 4096;
/** Hosts that have a prefix assert it within a second of a gap; five leave time for a failover that takes longer to notice. */
const SETTLING = 5_000;
/** How exactly the end of a host is known when prefixes are reused, ms: a write a minute and host. */
const SEEN_INTERVAL = 60_000;

/** A prefix, and the host from which it may be taken if its lease has ended. */
type Candidate = readonly [cidr: string, holder: string];

/** Runs commands and turns their errors into DirectoryError. */
type Ask = <T>(commands: (client: Redis | Cluster) => Promise<T>) => Promise<T>;

export class RedisPrefixes implements Prefixes {
  readonly #ask: Ask;
  readonly #keys: RedisKeys;

  constructor(ask: Ask, keys: RedisKeys) {
    this.#ask = ask;
    this.#keys = keys;
  }

  acquire(network: Network, host: HostIdentity): Promise<string> {
    return this.#ask(async (client) => {
      for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
        const assigned = await this.#assigned(client, network.vni);
        const cidr = await this.#acquireOf(client, network, host, assigned);
        if (cidr === undefined) continue;
        // An operator reserved another prefix for this host.
        for (const [other, one] of assigned)
          if (other !== cidr && 'host' in one && one.host === host.id)
            await this.#withdrawOne(client, network.vni, host.id, other, ['1', '']);
        return cidr;
      }
      throw new DirectoryError(`network ${network.name}: other hosts keep taking its prefixes`);
    });
  }

  publish(network: Network, host: HostIdentity, { cidr, mac, since }: HeldPrefix): Promise<PrefixPublished> {
    const { vni } = network;
    const keys = this.#keys;
    return this.#ask(async (client) => {
      const said = await new RedisScripts(client).run(
        'publish-prefix',
        [keys.host(vni, host.id), keys.prefixes(vni), keys.lease(vni, cidr), keys.leases(vni)],
        [host.id, host.incarnation, cidr, `${mac} ${host.vtep}`, since ?? '', SEEN_INTERVAL],
      );
      const [outcome, word = ''] = wordsOf(said);
      if (outcome === 'ok' || outcome === 'manual') return { outcome, since: Number(word) };
      if (outcome === 'taken') return { outcome, by: word };
      return outcome === 'lease' ? { outcome } : misled('EVALSHA');
    });
  }

  release(network: Network, id: string): Promise<string[]> {
    return this.#ask(async (client) => {
      const cidrs = await this.#ofHost(client, network.vni, id);
      for (const cidr of cidrs) await this.#withdrawOne(client, network.vni, id, cidr, ['1', '']);
      return cidrs;
    });
  }

  withdraw(vni: Vni, id: string, incarnation: string): Promise<number> {
    return this.#ask(async (client) => {
      let records = 0;
      for (const cidr of await this.#ofHost(client, vni, id))
        records += Math.max(0, await this.#withdrawOne(client, vni, id, cidr, ['', incarnation]));
      return records;
    });
  }

  /** Undefined when others took all candidates meanwhile. */
  async #acquireOf(
    client: Redis | Cluster,
    network: Network,
    host: HostIdentity,
    assigned: ReadonlyMap<string, Assignment>,
  ): Promise<string | undefined> {
    const own = ownPrefixes(network, host.id, assigned);
    const free = own.length > 0 ? own : freePrefixes(network, host.id, new Set(assigned.keys()));
    if (free.length > 0)
      return this.#try(
        client,
        network,
        host,
        free.map((cidr) => [cidr, '']),
      );
    const reused = reusable(assigned, host.id).slice(0, MOST_REUSED);
    for (let from = 0; from < reused.length; from += REUSED) {
      const cidr = await this.#try(client, network, host, reused.slice(from, from + REUSED));
      if (cidr !== undefined) return cidr;
    }
    throw new NoPrefixLeft(network);
  }

  async #try(
    client: Redis | Cluster,
    { name, vni }: Network,
    { id, incarnation }: HostIdentity,
    candidates: readonly Candidate[],
  ): Promise<string | undefined> {
    const holders = candidates.flatMap(([, holder]) => (holder === '' ? [] : [this.#keys.host(vni, holder)]));
    const said = await new RedisScripts(client).run(
      'acquire-prefix',
      [this.#keys.host(vni, id), this.#keys.prefixes(vni), ...holders],
      [id, incarnation, SETTLING, ...candidates.flat()],
    );
    const [outcome, word = '', replicas = '0'] = wordsOf(said);
    switch (outcome) {
      case 'assigned':
        if (replicas !== '0' && !(await isReplicated(client, this.#keys.prefixes(vni))))
          throw new DirectoryError(`network ${name}: no replica has confirmed the assignment of ${word} yet`);
        return word;
      case 'none':
        return undefined;
      case 'lease':
        throw new DirectoryError(`network ${name}: host ${id} has no lease`);
      case 'settling':
        throw new DirectoryError(
          `network ${name}: the server may have lost assignments; none is made for another ${Math.ceil(Number(word) / 1000)} s`,
        );
      default:
        return misled('EVALSHA');
    }
  }

  async #withdrawOne(
    client: Redis | Cluster,
    vni: Vni,
    id: string,
    cidr: string,
    words: readonly string[],
  ): Promise<number> {
    const keys = this.#keys;
    const said = await new RedisScripts(client).run(
      'withdraw-prefix',
      [keys.prefixes(vni), keys.lease(vni, cidr), keys.leases(vni), keys.host(vni, id), keys.hosts(vni)],
      [id, cidr, ...words],
    );
    return typeof said === 'number' ? said : misled('EVALSHA');
  }

  async #assigned(client: Redis | Cluster, vni: Vni): Promise<Map<string, Assignment>> {
    const assigned = new Map<string, Assignment>();
    for (const [cidr, value] of Object.entries(await client.hgetall(this.#keys.prefixes(vni)))) {
      const assignment = cidr.includes('/') && !cidr.includes(' ') ? parseAssignment(value) : undefined;
      if (assignment !== undefined) assigned.set(cidr, assignment);
    }
    return assigned;
  }

  async #ofHost(client: Redis | Cluster, vni: Vni, id: string): Promise<string[]> {
    const assigned = await this.#assigned(client, vni);
    return [...assigned].filter(([, one]) => isOf(one, id)).map(([cidr]) => cidr);
  }
}

const isOf = (one: Assignment, id: string): boolean =>
  'host' in one ? one.host === id : one.reserved === id;

/** The reserved one first, then the one that the host has had longest. */
function ownPrefixes(network: Network, id: string, assigned: ReadonlyMap<string, Assignment>): string[] {
  const since = (one: Assignment): number => ('host' in one ? one.since : -1);
  return [...assigned]
    .filter(([cidr, one]) => isOf(one, id) && isPrefixOf(network, cidr))
    .sort(([, a], [, b]) => since(a) - since(b))
    .map(([cidr]) => cidr);
}

/** The host that was seen last comes last. */
function reusable(assigned: ReadonlyMap<string, Assignment>, id: string): Candidate[] {
  return [...assigned]
    .flatMap(([cidr, one]) => ('host' in one && one.host !== id ? [{ cidr, ...one }] : []))
    .sort((a, b) => a.seen - b.seen)
    .map(({ cidr, host }) => [cidr, host] as const);
}

function wordsOf(reply: unknown): string[] {
  return Array.isArray(reply) ? reply.map(String) : misled('EVALSHA');
}

/** Ownership of records in Redis: the scripts of scripts/, and messages between hosts by PUBLISH. */
import { type Observable, Subject } from 'rxjs';
import { z } from 'zod';
import { chunks } from '../../base/chunks.ts';
import type { Ip, Mac, Vni } from '../../base/vocabulary.ts';
import type {
  AddressResult,
  Guest,
  HostIdentity,
  HostState,
  Moved,
  OwnedGuest,
  Owner,
  OwnerMessage,
  Ownership,
  Published,
  Renewal,
} from '../ownership.ts';
import type { RedisKeys } from './keys.ts';
import { parseHostLease, parseOwner, parseOwnerMessage } from './owner.ts';
import type { RedisReader } from './reader.ts';
import { isNotPermitted, misled } from './reason.ts';
import { RedisScripts, type Verb } from './scripts.ts';

const renewal = z.union([
  z.tuple([z.enum(['renewed', 'taken', 'gone', 'displaced', 'cloned'])]),
  z.tuple([z.literal('refused'), z.string()]),
]);
const result = z.union([
  z.tuple([z.enum(['ok', 'manual'])]),
  z.tuple([z.enum(['duplicate', 'ended']), z.string(), z.string()]),
]);
const published = z.union([
  z.tuple([z.literal('lease')]),
  z.tuple([z.enum(['moved', 'frozen']), z.string(), z.number()]),
  z.tuple([z.literal('ok'), z.number(), z.number(), z.number()]).rest(result),
]);
const moved = z.union([
  z.tuple([z.literal('lease')]),
  z.tuple([z.enum(['stale', 'frozen']), z.string(), z.number()]),
  z.tuple([z.literal('ok'), z.number()]),
]);
const reaped = z.tuple([z.number(), z.number()]);

/** What ownership needs of the feed: its connection can subscribe. */
export interface Channels {
  listen(channels: ReadonlySet<string>): void;
}

export class RedisOwnership implements Ownership {
  readonly #reader: RedisReader;
  readonly #keys: RedisKeys;
  readonly #channels: Channels;
  readonly #scripts: RedisScripts;
  readonly #messages = new Subject<OwnerMessage>();
  readonly messages$: Observable<OwnerMessage> = this.#messages.asObservable();

  constructor(reader: RedisReader, keys: RedisKeys, channels: Channels) {
    this.#reader = reader;
    this.#keys = keys;
    this.#channels = channels;
    this.#scripts = new RedisScripts(reader.client);
  }

  async renew(
    vni: Vni,
    host: HostIdentity,
    counter: number,
    ttl: number,
    take: boolean,
    previous = '',
  ): Promise<Renewal> {
    const words = [host.id, host.incarnation, counter, host.vtep, ttl, take ? 1 : 0, previous];
    const [outcome, vtep] = await this.#run(
      'renew',
      [this.#keys.host(vni, host.id), this.#keys.hosts(vni)],
      words,
      renewal,
    );
    return outcome === 'refused' ? { outcome, vtep } : { outcome };
  }

  async leave(vni: Vni, { id, incarnation }: HostIdentity): Promise<boolean> {
    const keys = [this.#keys.host(vni, id), this.#keys.hosts(vni), this.#keys.owned(vni, id)];
    return (await this.#run('leave', keys, [id, incarnation], z.number())) === 1;
  }

  async publish(vni: Vni, host: HostIdentity, guest: Guest, mayReap: boolean): Promise<Published> {
    const { mac, kind, ips } = guest;
    const keys = [
      ...this.#keysOf(vni, host, mac),
      ...ips.map((address) => this.#keys.record({ vni, kind: 'ip', address })),
    ];
    const words = [host.id, host.incarnation, mac, kind, mayReap ? 1 : 0, ...ips];
    const reply = await this.#run('publish', keys, words, published);
    if (reply[0] === 'lease') return { outcome: 'lease' };
    if (reply[0] !== 'ok') return { outcome: reply[0], host: reply[1], epoch: reply[2] };
    const [outcome, changed, manual, epoch, ...results] = reply;
    const addresses = results.map((one, index) => addressResult(ips[index] ?? '', one));
    return { outcome, changed: changed === 1, manual: manual === 1, epoch, addresses };
  }

  async move(vni: Vni, host: HostIdentity, guest: Guest, epoch: number): Promise<Moved> {
    const { mac, kind } = guest;
    const owner = await this.owner(vni, mac);
    if (owner === undefined || owner.epoch !== epoch)
      return { outcome: 'stale', host: owner?.host ?? '', epoch: owner?.epoch ?? 0 };
    const keys = [...this.#keysOf(vni, host, mac), this.#keys.owned(vni, owner.host)];
    const words = [host.id, host.incarnation, mac, kind, owner.host, epoch];
    const reply = await this.#run('move', keys, words, moved);
    if (reply[0] === 'lease') return { outcome: 'lease' };
    if (reply[0] !== 'ok') return { outcome: reply[0], host: reply[1], epoch: reply[2] };
    // The addresses that it has here and had not there.
    const now = await this.publish(vni, host, guest, false);
    return now.outcome === 'ok'
      ? { ...now, changed: true }
      : { outcome: 'ok', changed: true, manual: false, epoch: reply[1], addresses: [] };
  }

  withdraw(vni: Vni, host: HostIdentity, mac: Mac, ips?: readonly Ip[]): Promise<number> {
    // Without addresses the script withdraws the whole MAC.
    if (ips?.length === 0) return Promise.resolve(0);
    const words = [host.id, host.incarnation, mac, ...(ips ?? [])];
    return this.#run('withdraw', this.#keysOf(vni, host, mac), words, z.number());
  }

  async owned(vni: Vni, id: string): Promise<OwnedGuest[]> {
    const macs = new Set<Mac>();
    for await (const page of this.#reader.members(this.#keys.owned(vni, id)))
      for (const mac of page) macs.add(mac);
    const guests: OwnedGuest[] = [];
    for (const some of chunks([...macs])) {
      const owners = await Promise.all(some.map((mac) => this.owner(vni, mac)));
      for (const [index, mac] of some.entries()) {
        const owner = owners[index];
        if (owner?.host === id) guests.push({ mac, kind: owner.kind, ips: owner.ips, epoch: owner.epoch });
      }
    }
    return guests;
  }

  async owner(vni: Vni, mac: Mac): Promise<Owner | undefined> {
    const fields: unknown = await this.#reader.asked(() =>
      this.#reader.client.hgetall(this.#keys.owner(vni, mac)),
    );
    return parseOwner(fields);
  }

  async hosts(vni: Vni): Promise<HostState[]> {
    const known: unknown = await this.#reader.asked(() => this.#reader.client.hgetall(this.#keys.hosts(vni)));
    const parsed = z.record(z.string(), z.string()).safeParse(known);
    if (!parsed.success) return misled('HGETALL');
    const states: HostState[] = [];
    for (const some of chunks(Object.entries(parsed.data))) {
      const keys = some.map(([id]) => this.#keys.host(vni, id));
      const values = await this.#reader.asked(() => this.#reader.client.mget(keys));
      for (const [index, [id, incarnation]] of some.entries())
        states.push({ id, incarnation, lease: parseHostLease(values[index]) });
    }
    return states;
  }

  async remaining(vni: Vni, id: string): Promise<number | undefined> {
    const ttl: unknown = await this.#reader.asked(() => this.#reader.client.pttl(this.#keys.host(vni, id)));
    return typeof ttl === 'number' && ttl >= 0 ? ttl : undefined;
  }

  async uptime(): Promise<number | undefined> {
    try {
      // In a cluster, that of the youngest master.
      const said = await this.#reader.asked(() =>
        Promise.all(this.#reader.servers.map((server) => server.info('server'))),
      );
      const seconds = said.map((text) => Number(/^uptime_in_seconds:(\d+)/m.exec(text)?.[1] ?? 0));
      return Math.min(...seconds) * 1000;
    } catch (error) {
      if (isNotPermitted(error)) return undefined;
      throw error;
    }
  }

  async reap(
    vni: Vni,
    id: string,
    incarnation: string,
    most: number,
  ): Promise<{ reaped: number; left: number }> {
    const keys = [this.#keys.host(vni, id), this.#keys.hosts(vni), this.#keys.owned(vni, id)];
    const [macs, left] = await this.#run('reap', keys, [id, incarnation, most], reaped);
    return { reaped: macs, left };
  }

  async tell(id: string, message: OwnerMessage): Promise<void> {
    const channel = this.#keys.tell(message.vni, id);
    await this.#reader.asked(() => this.#reader.client.publish(channel, JSON.stringify(message)));
  }

  listen(hosts: readonly { vni: Vni; id: string }[]): void {
    this.#channels.listen(new Set(hosts.map(({ vni, id }) => this.#keys.tell(vni, id))));
  }

  /** The feed received a message to one of the hosts. */
  heard(text: string): void {
    const message = parseOwnerMessage(text);
    if (message !== undefined) this.#messages.next(message);
  }

  close(): void {
    this.#messages.complete();
  }

  /** What every script about a MAC takes first. */
  #keysOf(vni: Vni, { id }: HostIdentity, mac: Mac): string[] {
    return [
      this.#keys.host(vni, id),
      this.#keys.owner(vni, mac),
      this.#keys.owned(vni, id),
      this.#keys.record({ vni, kind: 'mac', address: mac }),
    ];
  }

  async #run<T>(verb: Verb, keys: string[], words: (string | number)[], reply: z.ZodType<T>): Promise<T> {
    return this.#reader.asked(async () => {
      const parsed = reply.safeParse(await this.#scripts.run(verb, keys, words));
      return parsed.success ? parsed.data : misled(`the script ${verb}`);
    });
  }
}

function addressResult(ip: Ip, one: z.infer<typeof result>): AddressResult {
  return one.length === 1 ? { ip, outcome: one[0] } : { ip, outcome: one[0], mac: one[1], host: one[2] };
}

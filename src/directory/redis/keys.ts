/** Keys as they stand in Redis: `missd:{100}:ip:20.0.0.2`. The braces keep a VNI on one node of a cluster. */
import type { Mac, Vni } from '../../base/vocabulary.ts';
import type { RecordKey } from '../directory.ts';

/** What the feed says about one key. */
export type ChangedKey =
  | { what: 'record'; key: RecordKey }
  | { what: 'lease'; vni: Vni; cidr: string }
  | { what: 'leases'; vni: Vni }
  | { what: 'vteps'; vni: Vni }
  | { what: 'network'; vni: Vni };

const BRACE = 0x7d;
const COLON = 0x3a;
const ZERO = 0x30;
export const HIGHEST_VNI = 0xffffff;

export class RedisKeys {
  /** What every key begins with, and what the feed is asked to report. */
  readonly prefix: string;
  readonly #prefix: Buffer;

  /** @param name the `--key-prefix` */
  constructor(name: string) {
    this.prefix = `${name}:{`;
    this.#prefix = Buffer.from(this.prefix);
  }

  record({ vni, kind, address }: RecordKey): string {
    return `${this.prefix}${vni}}:${kind}:${address}`;
  }

  lease(vni: Vni, cidr: string): string {
    return `${this.prefix}${vni}}:subnet:${cidr}`;
  }

  leases(vni: Vni): string {
    return `${this.prefix}${vni}}:subnets`;
  }

  vteps(vni: Vni): string {
    return `${this.prefix}${vni}}:vteps`;
  }

  network(vni: Vni): string {
    return `${this.prefix}${vni}}:network`;
  }

  /** For SCAN: the networks of all VNIs. */
  get networkPattern(): string {
    return `${this.prefix}*}:network`;
  }

  /** The hash of names; of no VNI. */
  get networkIndex(): string {
    return `${this.prefix.slice(0, -1)}networks`;
  }

  /**
   * What the feed reports of a VNI: records, leases, members and the network. Each prefix is checked by the server at
   * every write of anybody, so there are few, and none that begins another. @param vni 0 for keys that nobody writes
   */
  tracked(vni: Vni): string[] {
    const all = `${this.prefix}${vni}}:`;
    return vni === 0 ? [all] : ['ip:', 'mac:', 'subnet', 'vteps', 'network'].map((kind) => `${all}${kind}`);
  }

  /** The lease of a host in a VNI. Neither this nor any of the next three is reported by the feed. */
  host(vni: Vni, id: string): string {
    return `${this.prefix}${vni}}:host:${id}`;
  }

  /** The hosts of a VNI that took a lease and are not reaped yet. */
  hosts(vni: Vni): string {
    return `${this.prefix}${vni}}:hosts`;
  }

  /** Who published the records of a MAC. */
  owner(vni: Vni, mac: Mac): string {
    return `${this.prefix}${vni}}:owner:${mac}`;
  }

  /** The MACs that a host published. */
  owned(vni: Vni, id: string): string {
    return `${this.prefix}${vni}}:owned:${id}`;
  }

  prefixes(vni: Vni): string {
    return `${this.prefix}${vni}}:prefixes`;
  }

  /** The channel of messages to a host. */
  tell(vni: Vni, id: string): string {
    return `${this.prefix}${vni}}:tell:${id}`;
  }

  /** What the keys of a VNI begin with. */
  all(vni: Vni): string {
    return `${this.prefix}${vni}}:`;
  }

  /** For SCAN: every key of a VNI, or of all. The prefix has none of the characters that mean something in a pattern. */
  pattern(vni: Vni | undefined): string {
    return `${this.prefix}${vni ?? '*'}}:*`;
  }

  /**
   * Decodes a key the server reports. A shared Redis reports every VNI's keys to every host, so the VNI is read from
   * the bytes and the many that are not followed cost no string.
   */
  decode(raw: Buffer, followed?: ReadonlySet<Vni>): ChangedKey | undefined {
    const start = this.#prefix.length;
    const vni = raw.length > start + 128 ? undefined : this.vniOf(raw);
    if (vni === undefined || (followed !== undefined && !followed.has(vni))) return undefined;
    const rest = raw.toString('latin1', raw.indexOf(BRACE, start) + 2);
    if (rest.startsWith('ip:')) return { what: 'record', key: { vni, kind: 'ip', address: rest.slice(3) } };
    if (rest.startsWith('mac:')) return { what: 'record', key: { vni, kind: 'mac', address: rest.slice(4) } };
    if (rest.startsWith('subnet:')) return { what: 'lease', vni, cidr: rest.slice(7) };
    if (rest === 'subnets') return { what: 'leases', vni };
    return rest === 'vteps' || rest === 'network' ? { what: rest, vni } : undefined;
  }

  /** Whether a key belongs to networks and the hosts that joined them: missd itself writes and reads it. */
  isOfNetworks(raw: Buffer): boolean {
    const key = raw.toString('latin1');
    if (key === this.networkIndex) return true;
    const rest = this.vniOf(raw) === undefined ? '' : key.slice(key.indexOf('}') + 2);
    return rest === 'hosts' || rest === 'prefixes' || /^(?:host|owner|owned):./.test(rest);
  }

  /** The VNI of a key of ours, whatever comes behind it. */
  vniOf(raw: Buffer): Vni | undefined {
    const start = this.#prefix.length;
    if (raw.length <= start || raw.compare(this.#prefix, 0, start, 0, start) !== 0) return undefined;
    let at = start;
    let vni = 0;
    for (; at < raw.length && raw[at] !== BRACE; at++) {
      const digit = (raw[at] ?? 0) - ZERO;
      if (digit < 0 || digit > 9 || (digit === 0 && at === start)) return undefined;
      vni = vni * 10 + digit;
      if (vni > HIGHEST_VNI) return undefined;
    }
    return at === start || raw[at + 1] !== COLON ? undefined : vni;
  }
}

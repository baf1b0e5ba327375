/** What a directory file says, as the values Redis would hold, so that both are judged by the same code. */
import type { Ip, Vni } from '../../base/vocabulary.ts';
import type { FileNetwork } from '../format-networks.ts';
import type { RecordKey } from '../directory.ts';
import { LeaseTable } from '../leases.ts';

export interface FileVni {
  /** By kind and address, as in `ip:20.0.0.2`. */
  values: Map<string, string>;
  leases: LeaseTable;
  vteps: readonly Ip[];
  network?: FileNetwork;
}

export type FileContents = ReadonlyMap<Vni, FileVni>;

/** Some of a VNI's records, few enough not to delay misses. */
export interface Slice {
  vni: Vni;
  /** As in `FileVni`. */
  values: [string, string][];
  /** Values by CIDR. */
  leases: [string, string][];
  vteps: Ip[];
  /** In the first slice of its VNI. */
  network?: FileNetwork;
}

interface Assembled {
  values: Map<string, string>;
  leases: Map<string, string>;
  vteps: Ip[];
  network?: FileNetwork;
}

/** Assembles slices into a directory. */
export class Assembly {
  readonly #vnis = new Map<Vni, Assembled>();

  take({ vni, values, leases, vteps, network }: Slice): void {
    let one = this.#vnis.get(vni);
    if (one === undefined) this.#vnis.set(vni, (one = { values: new Map(), leases: new Map(), vteps: [] }));
    for (const [key, value] of values) one.values.set(key, value);
    for (const [cidr, value] of leases) one.leases.set(cidr, value);
    one.vteps.push(...vteps);
    if (network !== undefined) one.network = network;
  }

  contents(): FileContents {
    return new Map(
      [...this.#vnis].map(([vni, one]) => [vni, { ...one, leases: new LeaseTable(one.leases) }]),
    );
  }
}

export interface Difference {
  keys: RecordKey[];
  /** VNIs whose leases differ. */
  leases: Vni[];
  /** More than half of a VNI's records, and more than ten, are gone. */
  resync: boolean;
}

export function difference(before: FileContents, after: FileContents, vnis: ReadonlySet<Vni>): Difference {
  const keys: RecordKey[] = [];
  const leases: Vni[] = [];
  let resync = false;
  for (const vni of vnis) {
    const old = before.get(vni) ?? NOTHING;
    const now = after.get(vni) ?? NOTHING;
    let gone = 0;
    for (const key of new Set([...old.values.keys(), ...now.values.keys()])) {
      const value = now.values.get(key);
      if (value === old.values.get(key)) continue;
      if (value === undefined) gone++;
      const kind = key.startsWith('ip:') ? 'ip' : 'mac';
      keys.push({ vni, kind, address: key.slice(kind.length + 1) });
    }
    if (gone > 10 && gone * 2 > old.values.size) resync = true;
    if (!now.leases.equals(old.leases)) leases.push(vni);
  }
  return { keys, leases, resync };
}

const NOTHING: FileVni = { values: new Map(), leases: LeaseTable.EMPTY, vteps: [] };

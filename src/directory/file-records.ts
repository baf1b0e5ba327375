/** The records of a directory file as the values Redis would hold, so that both are judged by the same code. */
import { readFileSync } from 'node:fs';
import { UsageError } from '../errors.ts';
import type { Ip, Vni } from '../vocabulary.ts';
import type { RecordKey } from './directory.ts';
import { parseRecords, renderEndpoint, renderSubnet, vtepsByMac } from './format.ts';
import { LeaseTable } from './leases.ts';

export interface FileVni {
  /** By kind and address, as in `ip:20.0.0.2`. */
  values: Map<string, string>;
  leases: LeaseTable;
  vteps: readonly Ip[];
}

export type FileContents = ReadonlyMap<Vni, FileVni>;

/** @throws UsageError naming file, line and reason */
export function readDirectoryFile(file: string): FileContents {
  const contents = new Map<Vni, FileVni>();
  for (const [vni, { endpoints, subnets, vteps }] of parseRecords(readText(file), file)) {
    const values = new Map<string, string>();
    for (const endpoint of endpoints) values.set(`ip:${endpoint.ip}`, renderEndpoint(endpoint));
    for (const [mac, vtep] of vtepsByMac(endpoints)) values.set(`mac:${mac}`, vtep);
    const leases = new LeaseTable(new Map(subnets.map((subnet) => [subnet.cidr, renderSubnet(subnet)])));
    contents.set(vni, { values, leases, vteps });
  }
  return contents;
}

export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'no such file' : code === 'EACCES' ? 'permission denied' : String(code);
    throw new UsageError(`${file}: ${why}`, { cause: error });
  }
}

export interface Difference {
  keys: RecordKey[];
  /** VNIs whose leases differ. */
  leases: Vni[];
  /** More than half of a VNI's records, and more than ten, are gone. */
  blow: boolean;
}

export function difference(before: FileContents, after: FileContents, vnis: ReadonlySet<Vni>): Difference {
  const keys: RecordKey[] = [];
  const leases: Vni[] = [];
  let blow = false;
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
    if (gone > 10 && gone * 2 > old.values.size) blow = true;
    if (!now.leases.equals(old.leases)) leases.push(vni);
  }
  return { keys, leases, blow };
}

const NOTHING: FileVni = { values: new Map(), leases: LeaseTable.EMPTY, vteps: [] };

/** The leases of one VNI, by longest prefix and by MAC. Immutable: a re-read makes a new table. */
import type { Ip, Mac } from '../base/vocabulary.ts';
import type { Lease, Leases } from './directory.ts';
import { PrefixTable } from '../base/prefix-table.ts';
import { parseCidr } from '../base/prefix.ts';

export class LeaseTable implements Leases {
  static readonly EMPTY = new LeaseTable(new Map());

  readonly #values: ReadonlyMap<string, string>;
  readonly #leases: Lease[];
  readonly #byPrefix = new PrefixTable<Lease>();
  readonly #byMac = new Map<Mac, Lease[]>();

  /** @param values of the valid leases by CIDR; see `judgeLease` */
  constructor(values: ReadonlyMap<string, string>) {
    this.#values = values;
    // Sorted, so that every host picks the same lease if two name one MAC.
    this.#leases = [...values]
      .map(([cidr, value]) => ({ cidr, value }))
      .sort((a, b) => (a.cidr < b.cidr ? -1 : 1));
    for (const lease of this.#leases) {
      const prefix = parseCidr(lease.cidr);
      if (prefix === undefined) continue;
      this.#byPrefix.set(prefix, lease);
      const mac = lease.value.slice(0, lease.value.indexOf(' '));
      const others = this.#byMac.get(mac);
      if (others === undefined) this.#byMac.set(mac, [lease]);
      else others.push(lease);
    }
  }

  covering(ip: Ip, accept?: (lease: Lease) => boolean): Lease | undefined {
    return this.#byPrefix.longest(ip, accept);
  }

  withMac(mac: Mac, accept: (lease: Lease) => boolean = () => true): Lease | undefined {
    return this.#byMac.get(mac)?.find(accept);
  }

  get isEmpty(): boolean {
    return this.#leases.length === 0;
  }

  all(): Lease[] {
    return [...this.#leases];
  }

  equals(other: LeaseTable): boolean {
    return this.says(other.#values);
  }

  says(values: ReadonlyMap<string, string>): boolean {
    if (values.size !== this.#values.size) return false;
    for (const [cidr, value] of values) if (this.#values.get(cidr) !== value) return false;
    return true;
  }
}

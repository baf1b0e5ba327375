/** The port that each entry of a device counts for, so that one guest cannot use up `--max-entries`. */

/** Entries whose asker is not known: L2 misses, the routed topology, a tap that missed the question. */
export const UNKNOWN = 0;
/** Entries without an asker on this host: adopted from the kernel, or written ahead. */
export const ADOPTED = -1;

/** An entry in its quota's linked list: the list costs no object per entry, and an entry leaves it in one step. */
export interface Member {
  usedAt: number;
  quota: PortQuota | undefined;
  older: Member | undefined;
  newer: Member | undefined;
}

/** The entries of one asking port (its ifindex, or a constant above), least recently asked for first. */
export class PortQuota {
  readonly port: number;
  size = 0;
  oldest: Member | undefined;
  newest: Member | undefined;

  constructor(port: number) {
    this.port = port;
  }

  push(member: Member): void {
    member.quota = this;
    member.older = this.newest;
    if (this.newest === undefined) this.oldest = member;
    else this.newest.newer = member;
    this.newest = member;
    this.size++;
  }

  take(member: Member): void {
    const { older, newer } = member;
    if (older === undefined) this.oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.newest = older;
    else newer.older = older;
    member.quota = member.older = member.newer = undefined;
    this.size--;
  }
}

/** The quotas of one device. */
export class PortQuotas {
  readonly #byPort = new Map<number, PortQuota>();
  #size = 0;

  /** Entries of all quotas. */
  get size(): number {
    return this.#size;
  }

  all(): Iterable<PortQuota> {
    return this.#byPort.values();
  }

  of(port: number): PortQuota | undefined {
    return this.#byPort.get(port);
  }

  add(member: Member, port: number): void {
    let quota = this.#byPort.get(port);
    if (quota === undefined) this.#byPort.set(port, (quota = new PortQuota(port)));
    quota.push(member);
    this.#size++;
  }

  delete(member: Member): void {
    const { quota } = member;
    if (quota === undefined) return;
    quota.take(member);
    if (quota.size === 0) this.#byPort.delete(quota.port);
    this.#size--;
  }

  /** Makes an entry the newest, because it was asked for again. It stays with its first port; one without a port moves. */
  renew(member: Member, port: number): void {
    const owner = member.quota?.port;
    this.delete(member);
    this.add(member, owner === undefined || owner <= UNKNOWN ? port : owner);
  }

  clear(): void {
    this.#byPort.clear();
    this.#size = 0;
  }
}

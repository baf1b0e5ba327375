/**
 * Leases that concern this host itself. A lease of this host needs no entry. A foreign lease that covers a local address is
 * ignored. Both are reported once, and again after a change.
 */
import type { PipelineDeps } from '../resolver/pipeline.ts';
import type { Conflict } from '../base/outcomes.ts';
import type { Lease } from '../directory/directory.ts';
import { type LeaseRecord, isMalformed, parseLease } from '../directory/record.ts';
import type { Logger } from '../base/log.ts';
import type { ServedDevice } from '../model/device.ts';

/** From a change to the check, ms: leases and addresses often change in groups. */
const REST = 1_000;

/** A finding on a lease: a conflict, or for information only. */
interface Finding {
  conflict?: Conflict;
  what: string;
}

export class OwnLeases {
  readonly #deps: PipelineDeps;
  readonly #log: Logger;
  readonly #said = new WeakMap<ServedDevice, ReadonlySet<string>>();
  #due = Infinity;

  constructor(deps: PipelineDeps, log: Logger) {
    this.#deps = deps;
    this.#log = log;
  }

  /** Leases, devices or addresses have changed. */
  stale(): void {
    this.#due = this.#deps.now() + REST;
  }

  /** Reports new findings after a change. */
  look(devices: readonly ServedDevice[]): void {
    if (this.#deps.now() < this.#due) return;
    this.#due = Infinity;
    for (const device of devices) {
      const before = this.#said.get(device);
      const found = this.#find(device);
      this.#said.set(device, new Set(found.map(({ what }) => what)));
      for (const { conflict, what } of found) {
        if (before?.has(what) === true) continue;
        if (conflict === undefined) this.#log.info(`${device.name}: ${what}`);
        else this.#deps.report.conflict(device, conflict, what);
      }
    }
  }

  #find(device: ServedDevice): Finding[] {
    const leases = this.#deps.policy.leases(device.vni);
    const owned = leases.all().flatMap((lease) => this.#owned(device, lease));
    const covered = new Map<string, string>();
    for (const ip of device.namespace.assigned()) {
      const lease = isOverlay(ip)
        ? leases.covering(ip, (one) => this.#parsed(device, one) !== undefined)
        : undefined;
      const record = lease && this.#parsed(device, lease);
      if (lease === undefined || record === undefined || this.#deps.isOwnVtep(record.vtep)) continue;
      covered.set(
        lease.cidr,
        `lease ${lease.cidr} of ${record.vtep} covers ${ip}, which this host has: it stays here`,
      );
    }
    return [
      ...owned,
      ...[...covered.values()].map((what): Finding => ({ conflict: 'lease_covers_host', what })),
    ];
  }

  /** A lease of this host. In the routed topology its MAC must be the device's, which drops frames to any other MAC. */
  #owned(device: ServedDevice, lease: Lease): Finding[] {
    const record = this.#parsed(device, lease);
    if (record === undefined || !this.#deps.isOwnVtep(record.vtep)) return [];
    const { lladdr, name } = device.link;
    if (device.bridge !== 0 || record.mac === lladdr)
      return [{ what: `lease ${lease.cidr} is this host's own, so it gets no entries here` }];
    const what = `lease ${lease.cidr} is this host's own with MAC ${record.mac}, but ${name} has ${lladdr}: what others send is dropped`;
    return [{ conflict: 'lease_mac', what }];
  }

  #parsed(device: ServedDevice, { value }: Lease): LeaseRecord | undefined {
    const record = parseLease(value, { family: device.family, vtepAllow: () => true });
    return isMalformed(record) ? undefined : record;
  }
}

/** Loopback and link-local addresses exist on every host. */
const isOverlay = (ip: string): boolean => !/^(127\.|169\.254\.|::1$|fe[89ab])/.test(ip);

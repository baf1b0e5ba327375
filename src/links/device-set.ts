/** The served devices of a namespace. A device is served as long as its link exists, by one missd alone. */
import type { VxlanLink } from '../model/vxlan-link.ts';
import { Subject } from 'rxjs';
import { type Faults, attempt, attemptOn } from '../base/guarded-lane.ts';
import type { NamedSocket, Namespace } from '../kernel/kernel.ts';
import type { Strategy } from '../model/strategy.ts';
import type { Link, Vni } from '../base/vocabulary.ts';
import type { Clock } from '../base/clock.ts';
import { ServedDevice, type DeviceNamespace } from '../model/device.ts';
import { type DeviceLock, holdersIn, lockDevice, mayBeFree, unlockDevice } from './device-lock.ts';
import { LockHolders } from './lock-holder.ts';
import type { OwnVteps } from './own-vteps.ts';
import type { NamespaceEvent } from './namespace-event.ts';
import { followUnderlay, forgetUnderlay } from './underlay.ts';
import { isVxlan, refusal } from './servable.ts';

export interface DeviceSetOptions {
  /** Whether a device should be served. */
  isWanted: (link: Link) => boolean;
  /** How the entries of a VNI come about. */
  strategyOf: (vni: Vni) => Strategy;
  /** Milliseconds. */
  negativeLifetime: number;
  now: Clock;
  faults: Faults;
}

export class DeviceSet {
  readonly devices = new Map<number, ServedDevice>();
  readonly #later$ = new Subject<NamespaceEvent[]>();
  /** Changes found outside of a kernel event. */
  readonly later$ = this.#later$.asObservable();
  readonly #namespace: DeviceNamespace;
  readonly #kernel: Namespace;
  readonly #own: OwnVteps;
  readonly #options: DeviceSetOptions;
  /** Refused devices by ifindex; each refusal is reported once. */
  readonly #refused = new Map<number, { name: string; reason: string }>();
  /** Names of the devices that another missd serves, by ifindex. */
  readonly #taken = new Map<number, string>();
  /** Locks of the served devices, by ifindex. */
  readonly #locks = new Map<number, DeviceLock>();
  readonly #holders = new LockHolders();

  constructor(namespace: DeviceNamespace, own: OwnVteps, options: DeviceSetOptions) {
    this.#namespace = namespace;
    this.#kernel = namespace.kernel;
    this.#own = own;
    this.#options = options;
  }

  /** Starts, continues or ends serving one link. @param links all links of the namespace */
  serve(link: Link, removed: boolean, links: ReadonlyMap<number, Link>): NamespaceEvent[] {
    const { name } = this.#namespace;
    if (removed) this.#taken.delete(link.ifindex);
    const known = this.devices.get(link.ifindex);
    // The event of its removal was lost: ifindexes are reused, and a VNI cannot change (drivers/net/vxlan, vxlan_changelink).
    const device = known === undefined || isSame(known, link) ? known : undefined;
    const replaced: NamespaceEvent[] = known === device || known === undefined ? [] : [this.#leave(known)];
    const wanted = !removed && this.#options.isWanted(link);
    const reason = wanted ? refusal(link, links, this.#options.strategyOf) : undefined;
    if (!wanted || reason !== undefined || !isVxlan(link)) {
      const events: NamespaceEvent[] = device === undefined ? replaced : [this.#leave(device)];
      if (reason === undefined) this.#refused.delete(link.ifindex);
      else {
        const said = this.#refused.get(link.ifindex);
        this.#refused.set(link.ifindex, { name: link.name, reason });
        if (said?.reason !== reason || said.name !== link.name)
          events.push({ type: 'refused', name: `${link.name}@${name}`, reason });
      }
      return events;
    }
    this.#refused.delete(link.ifindex);
    return [...replaced, ...(device === undefined ? this.#begin(link) : this.#renew(device, link))];
  }

  /** Called after the sockets were closed, which released the locks. */
  close(): NamespaceEvent[] {
    return [...this.devices.values()].map((device) => this.#forget(device));
  }

  /** Names of the devices that another missd serves. */
  get taken(): string[] {
    return [...this.#taken.values()].map((name) => `${name}@${this.#namespace.name}`);
  }

  /** Why wanted devices are not served, by name. */
  get refusals(): ReadonlyMap<string, string> {
    const taken = [...this.#taken.values()].map((name) => [name, 'another missd serves it'] as const);
    const refused = [...this.#refused.values()].map(({ name, reason }) => [name, reason] as const);
    return new Map([...refused, ...taken]);
  }

  /** Tries again to lock the devices that another missd serves. */
  claim(links: ReadonlyMap<number, Link>): NamespaceEvent[] {
    if (this.#taken.size === 0) return [];
    const sockets = holdersIn(this.#kernel);
    return [...this.#taken.keys()].flatMap((ifindex) => {
      const link = links.get(ifindex);
      return link === undefined || !mayBeFree(sockets, ifindex, this.#holders.isMissd)
        ? []
        : this.serve(link, false, links);
    });
  }

  /** Reads the addresses of underlay namespaces again, because no event reports their changes. */
  refresh(): void {
    for (const device of this.devices.values())
      attemptOn(device, 'devices', () => this.#followUnderlay(device), this.#options.faults);
  }

  #begin(link: VxlanLink): NamespaceEvent[] {
    const name = `${link.name}@${this.#namespace.name}`;
    const lock = lockDevice(this.#kernel, link.ifindex, this.#holders.isMissd);
    if (lock.names === undefined) {
      const taken = this.#taken.has(link.ifindex);
      this.#taken.set(link.ifindex, link.name);
      return taken ? [] : [{ type: 'taken', name, ...this.#describe(lock.by) }];
    }
    this.#taken.delete(link.ifindex);
    this.#locks.set(link.ifindex, lock);
    const { negativeLifetime, now, strategyOf } = this.#options;
    let device: ServedDevice;
    try {
      device = new ServedDevice(link, this.#namespace, negativeLifetime, now, strategyOf(link.vxlan.vni));
    } catch (error) {
      this.#unlock(link);
      throw error;
    }
    this.devices.set(link.ifindex, device);
    const events: NamespaceEvent[] = [...this.#followUnderlay(device), { type: 'served', device }];
    return lock.by === undefined
      ? events
      : [{ type: 'squatted', name, ...this.#describe(lock.by) }, ...events];
  }

  #describe(by: NamedSocket | undefined): { by: string } {
    return { by: by === undefined ? 'another one that begins' : this.#holders.describe(by) };
  }

  #renew(device: ServedDevice, link: VxlanLink): NamespaceEvent[] {
    const { link: before, bridge } = device;
    device.link = link;
    const events: NamespaceEvent[] =
      before.vxlan.local === link.vxlan.local ? [] : this.#followUnderlay(device);
    if (device.bridge !== bridge) events.push({ type: 'bridged', device });
    // Down empties both tables, a new MAC the neighbours (drivers/net/vxlan vxlan_stop; net/core neigh_changeaddr).
    if ((before.up && !link.up) || before.lladdr !== link.lladdr) events.push({ type: 'emptied', device });
    else if (!before.up && link.up) events.push({ type: 'up', device });
    return events;
  }

  #leave(device: ServedDevice): NamespaceEvent {
    this.#unlock(device.link);
    return this.#forget(device);
  }

  #unlock(link: Link): void {
    const lock = this.#locks.get(link.ifindex) ?? {};
    this.#locks.delete(link.ifindex);
    attempt('devices', () => unlockDevice(this.#kernel, lock), this.#options.faults);
  }

  #forget(device: ServedDevice): NamespaceEvent {
    this.devices.delete(device.ifindex);
    device.gone = true;
    this.#locks.delete(device.ifindex);
    forgetUnderlay(device, this.#own);
    return { type: 'gone', device };
  }

  #followUnderlay(device: ServedDevice): NamespaceEvent[] {
    const isServed = (): boolean => this.devices.get(device.ifindex) === device;
    const changed = followUnderlay(device, this.#own, isServed, () => {
      this.#later$.next([{ type: 'addresses' }]);
    });
    return changed ? [{ type: 'addresses' }] : [];
  }
}

const isSame = ({ vni, family }: ServedDevice, { vxlan }: Link): boolean =>
  vxlan === undefined || (vxlan.vni === vni && !(vxlan.ipv6 && family === 4));

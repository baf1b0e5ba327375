/** A served device on a fake kernel and a fake directory, and a clock that moves when it is told to. */
import type { PipelineDeps } from '../../../src/resolver/pipeline.ts';
import type { VxlanLink } from '../../../src/model/vxlan-link.ts';
import { setImmediate as turn } from 'node:timers/promises';
import { pino } from 'pino';
import type { Observable, Subscription } from 'rxjs';
import type { Strategy } from '../../../src/model/strategy.ts';
import { NTF_EXT_LEARNED, NTF_SELF, NUD_NOARP, NUD_REACHABLE } from '../../../src/kernel/netlink.ts';
import { History } from '../../../src/observe/history/history.ts';
import { FoldedLog, type Logger } from '../../../src/base/log.ts';
import { Counters } from '../../../src/model/counters.ts';
import { Report } from '../../../src/daemon/report.ts';
import { Admission } from '../../../src/resolver/admission.ts';
import { ServedDevice, type DeviceNamespace } from '../../../src/model/device.ts';
import { guestPorts } from '../../../src/links/ports.ts';
import { OwnVteps } from '../../../src/links/own-vteps.ts';
import { Announcer } from '../../../src/entries/announce.ts';
import { type InstallOutcome, install } from '../../../src/entries/install.ts';
import { MacChanges } from '../../../src/entries/mac-changes.ts';
import { PROTOCOL } from '../../../src/entries/ownership.ts';
import type { Link, VxlanAttributes } from '../../../src/base/vocabulary.ts';
import { FakeDirectory } from './directory.ts';
import { FakeNamespace } from './kernel.ts';

export const VNI = 100;
export const BRIDGE = 2;
export const VXLAN = 5;
export const ROUTED = 8;
export const GUEST = 6;
/** What most of the tests take for this host. */
export const HERE = '10.99.0.1';
export const NEGATIVE_LIFETIME = 5_000;
export const LOOKUP_RATE = 2_000;

export const mac = (n: number): string =>
  `02:00:00:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}`;
export const ip = (n: number): string => `20.0.${n >> 8}.${n & 255}`;
export const vtep = (n: number): string => `10.99.0.${n}`;

export const OUR_ROW = { state: NUD_NOARP, flags: NTF_EXT_LEARNED, protocol: PROTOCOL };
export const OUR_FDB_ROW = { state: NUD_REACHABLE, flags: NTF_SELF | NTF_EXT_LEARNED };

export function link(name: string, ifindex: number, rest: Partial<Link> = {}): Link {
  return {
    ifindex,
    name,
    kind: 'veth',
    up: true,
    lladdr: mac(0xff00 + ifindex),
    mtu: 1450,
    master: 0,
    ...rest,
  };
}

const PORT = { multicastRouter: 2, bcastFlood: true, mcastFlood: true, neighSuppress: false };

export function vxlanLink(
  ifindex: number,
  bridged: boolean,
  rest: Partial<VxlanAttributes> = {},
  name = bridged ? 'vx' : 'vr',
): VxlanLink {
  const vxlan: VxlanAttributes = {
    vni: VNI,
    dstport: 4789,
    local: HERE,
    link: 4,
    learning: false,
    proxy: bridged,
    l2miss: true,
    l3miss: true,
    external: false,
    ipv6: false,
    ...rest,
  };
  const port = bridged ? { master: BRIDGE, bridgePort: PORT } : {};
  return { ...link(name, ifindex, { kind: 'vxlan', ...port }), vxlan };
}

export class World {
  /** Monotonic milliseconds. */
  time = 10_000_000;
  readonly now = (): number => this.time;
  readonly kernel = new FakeNamespace(this.now);
  readonly directory = new FakeDirectory();
  readonly counters = new Counters();
  readonly history = new History(this.now);
  /** What was logged, as JSON lines. */
  readonly lines: string[] = [];
  readonly log: Logger = pino({ base: null }, { write: (line: string) => void this.lines.push(line) });
  readonly own = new OwnVteps();
  readonly assigned = new Set<string>();
  /** Broadcast addresses of the underlay's subnets. */
  readonly broadcasts = new Set<string>();
  readonly devices: ServedDevice[] = [];
  mutedTaps: ReadonlySet<number> = new Set();
  readonly admission = new Admission(this.counters, LOOKUP_RATE, this.now);
  readonly deps: PipelineDeps;

  readonly #surroundings: DeviceNamespace;

  constructor() {
    this.own.set('--local', [HERE]);
    this.kernel.setLink(link('br0', BRIDGE, { kind: 'bridge', bridge: { vlanFiltering: false } }));
    this.kernel.setLink(link('p0', GUEST, { master: BRIDGE }));
    this.#surroundings = {
      name: 'test',
      kernel: this.kernel,
      isAssigned: (address) => this.assigned.has(address),
      isBroadcast: (address) => this.broadcasts.has(address),
      assigned: () => this.assigned,
      guestPorts: (device) => guestPorts(this.kernel.linkTable.values(), device.bridge),
      muteTap: (ports) => void (this.mutedTaps = ports),
      portName: (ifindex) => `port${ifindex}`,
      link: (ifindex) => this.kernel.linkTable.get(ifindex),
      isLinkAddress: (address) =>
        [...this.kernel.linkTable.values()].some(({ lladdr }) => lladdr === address),
      learn: (device, on) => void (device.learning = on),
    };
    const report = new Report(this.counters, new FoldedLog(this.log, this.now), this.history);
    const announcer = new Announcer((outcome, by) => {
      this.counters.announcements[outcome] += by;
    });
    this.deps = {
      directory: this.directory,
      counters: this.counters,
      now: this.now,
      admission: this.admission,
      isOwnVtep: (one) => this.own.has(one),
      announcer,
      macChanges: new MacChanges(announcer, report, this.now),
      policy: {
        leases: (vni) => this.directory.leases(vni),
        vtepAllow: () => true,
        malformed: (device, reason, example) => {
          report.malformed(device.vni, reason, example);
        },
      },
      report,
    };
  }

  /** A device that is served, adopted and verified. */
  device(served: VxlanLink = vxlanLink(VXLAN, true), strategy: Strategy = 'miss'): ServedDevice {
    this.kernel.setLink(served);
    const device = new ServedDevice(served, this.#surroundings, NEGATIVE_LIFETIME, this.now, strategy);
    device.adopted = true;
    device.verified = true;
    this.devices.push(device);
    return device;
  }

  /** A record, and the entries written from it. */
  endpoint(
    device: ServedDevice,
    address: string,
    lladdr: string,
    behind: string,
  ): InstallOutcome | undefined {
    this.directory.set(device.vni, 'ip', address, `${lladdr} ${behind}`);
    return this.place(device, address, lladdr, behind);
  }

  /** Entries as an answer from an `ip:` record writes them. */
  place(device: ServedDevice, address: string, lladdr: string, behind: string): InstallOutcome | undefined {
    const source = { kind: 'ip' as const, name: address };
    const answer = { mac: lladdr, vtep: behind, router: false, source };
    return install([{ device, ip: address, answer }], this.deps)[0];
  }

  readonly deviceOf = (ifindex: number): ServedDevice | undefined =>
    this.devices.find((device) => device.ifindex === ifindex);

  /** The kernel's tables of a device, as a test writes them down: VTEPs by MAC, MACs by address. */
  fdb(device: ServedDevice): Record<string, string | undefined> {
    const macs = this.kernel.fdbOf(device.ifindex);
    return Object.fromEntries(macs.map((row) => [row.lladdr, row.vtep]));
  }

  neighbours(device: ServedDevice): Record<string, string | undefined> {
    return Object.fromEntries(this.kernel.neighboursOf(device.ifindex).map((row) => [row.ip, row.lladdr]));
  }

  /** misses − resolutions − ignored − in flight, by the contract nought at every moment. */
  unaccounted(): number {
    const sum = (counts: Record<string, number>): number => Object.values(counts).reduce((a, b) => a + b, 0);
    const { misses, ignored, resolutions } = this.counters;
    const settled = sum(resolutions.l2) + sum(resolutions.l3);
    return sum(misses) - sum(ignored) - settled - this.admission.inFlight;
  }
}

/** Lets everything go on that waits for nothing but its turn. */
export async function turns(count = 8): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}

/** What must not fail: one that does fails the test. */
export const watch = <T>(stream$: Observable<T>, next: (value: T) => void = () => undefined): Subscription =>
  stream$.subscribe({
    next,
    error: (error: unknown) => {
      throw error;
    },
  });

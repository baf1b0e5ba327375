/**
 * A host of the lab: a namespace with an uplink to the underlay and, per VNI, a bridge and a VXLAN device.
 *
 *   guest ── port ─┐
 *   guest ── port ─┼─ br0 ── vxlan100 (local 10.99.0.N) ┄┄ eth0 ── underlay
 */
import type { Namespace } from './namespace.ts';
import type { Guest, GuestOptions } from './guest.ts';
import { JoinedSegment } from './joined-segment.ts';
import { OverlaySegment } from './overlay-segment.ts';
import { RoutedSegment } from './routed-segment.ts';
import { Segment, type SegmentOptions } from './segment.ts';
import type { Underlay } from './underlay.ts';

export class Host {
  readonly n: number;
  readonly namespace: Namespace;
  readonly underlay: Underlay;
  readonly segments: Segment[] = [];
  /** Reserves the name of a namespace of the lab; the caller creates the namespace. */
  readonly name: (role: string) => Namespace;

  constructor(n: number, namespace: Namespace, underlay: Underlay, name: (role: string) => Namespace) {
    this.n = n;
    this.namespace = namespace;
    this.underlay = underlay;
    this.name = name;
  }

  get vtep(): string {
    return this.underlay.addressOf(this.n);
  }

  /** The first segment; most labs have only one. */
  get segment(): Segment {
    const [first] = this.segments;
    if (first === undefined) throw new Error(`host ${this.n} has no segment`);
    return first;
  }

  /** Names of the namespaces that have VXLAN devices; a missd of this host serves them. */
  get served(): string[] {
    const names = new Set(this.segments.map(({ namespace }) => namespace.name));
    return names.size === 0 ? [this.namespace.name] : [...names];
  }

  async build(segments: readonly SegmentOptions[]): Promise<void> {
    await this.underlay.connect(this.namespace, this.n);
    // A bridge solicits its own link-local address a second after it is up, a miss that would disturb tests.
    await this.namespace.sysctl({ 'net/ipv6/conf/default/dad_transmits': 0 });
    for (const options of segments) await this.addSegment(options);
  }

  async addSegment(options: SegmentOptions = {}): Promise<Segment> {
    const segment = new CLASSES[options.topology ?? 'bridged'](this, options);
    await segment.build();
    this.segments.push(segment);
    return segment;
  }

  /** A guest on the first segment. */
  addGuest(options: GuestOptions): Promise<Guest> {
    return this.segment.addGuest(options);
  }
}

const CLASSES = { bridged: Segment, routed: RoutedSegment, overlay: OverlaySegment, joined: JoinedSegment };

/**
 * One VNI that `missd run --join` makes on the host: the lab makes nothing but guests.
 *
 *   guest ── port ── br-blue ── vx-blue ┄┄ eth0
 */
import type { SegmentHost } from './guest-plan.ts';
import { Segment, type SegmentOptions } from './segment.ts';

export class JoinedSegment extends Segment {
  constructor(host: SegmentHost, options: SegmentOptions = {}) {
    const { network = 'blue' } = options;
    super(host, options, { bridge: `br-${network}`, device: `vx-${network}` });
  }

  override build(): Promise<void> {
    return Promise.resolve();
  }
}

/** Writes answers so that what is wrong with one device fails that device's alone. */
import { groupBy } from '../base/group-by.ts';
import { attempt } from '../base/guarded-lane.ts';
import type { Placement } from '../model/question.ts';
import { type InstallDeps, type InstallOutcome, install } from './install.ts';

/**
 * The same as `install`, but never throws: where the kernel does not even answer for a batch each device's part is
 * written by itself, and fails by itself. What the first try has written is found standing by the second.
 * @returns one outcome per placement. All placements must be of one namespace.
 */
export function installApart(placements: readonly Placement[], deps: InstallDeps): InstallOutcome[] {
  try {
    return install(placements, deps);
  } catch (error) {
    const byDevice = groupBy(
      placements.map((placement, index) => ({ placement, index })),
      ({ placement }) => placement.device,
    );
    const outcomes = placements.map<InstallOutcome>(() => 'failed');
    if (byDevice.size === 1) deps.report.broken('install', error);
    else
      for (const together of byDevice.values()) {
        const own = together.map(({ placement }) => placement);
        attempt('install', () => install(own, deps), deps.report)?.forEach((outcome, position) => {
          const one = together[position];
          if (one !== undefined) outcomes[one.index] = outcome;
        });
      }
    return outcomes;
  }
}

import type { PipelineDeps } from '../resolver/pipeline.ts';
import type { Recheck } from './full-resync.ts';

/** How long it took from the word of a change to this moment, when the tables are in step with it. */
export function observeChanges(rechecks: Iterable<Recheck>, { counters, now }: PipelineDeps): void {
  for (const { heardAt } of rechecks)
    if (heardAt !== undefined) counters.changeSeconds.observe((now() - heardAt) / 1000);
}

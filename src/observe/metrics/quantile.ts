/**
 * What so much of all that was observed stayed below, from counts by bucket; within a bucket taken as spread evenly, as
 * PromQL's `histogram_quantile` does.
 * @param bounds ascending upper bounds of the buckets but the last, which has none: what is there counts as the highest bound
 * @param counts not cumulative
 * @returns undefined where nothing was observed
 */
export function quantile(
  quota: number,
  bounds: readonly number[],
  counts: readonly number[],
): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  let below = 0;
  let lower = 0;
  for (const [bucket, upper] of bounds.entries()) {
    const here = counts[bucket] ?? 0;
    if (here > 0 && below + here >= quota * total)
      return lower + ((upper - lower) * (quota * total - below)) / here;
    below += here;
    lower = upper;
  }
  return lower;
}

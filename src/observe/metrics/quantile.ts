/**
 * A quantile of a histogram. Observations are taken as spread evenly within their bucket, as PromQL's `histogram_quantile`
 * does.
 * @param quota the quantile, 0 to 1
 * @param bounds ascending upper bounds; one more bucket has no bound, and its observations count as the highest bound
 * @param counts by bucket, not cumulative
 * @returns undefined without observations
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

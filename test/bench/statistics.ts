/** Figures out of samples. */

/** The value below which a `quota` of the samples lies; NaN of none. */
export function percentile(samples: readonly number[], quota: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * quota))] ?? NaN;
}

export const median = (samples: readonly number[]): number => percentile(samples, 0.5);

/** Half of the distance between the lowest and the highest, as a share of the median: 0.1 is ±10 %. */
export const spread = (samples: readonly number[]): number =>
  (Math.max(...samples) - Math.min(...samples)) / 2 / median(samples);

/** Median of the ratios of what was measured side by side: what slows the machine slows both. */
export const ratio = (samples: readonly number[], floor: readonly number[]): number =>
  median(samples.map((sample, index) => sample / (floor[index] ?? NaN)));

export const sum = (samples: readonly number[]): number => samples.reduce((a, b) => a + b, 0);

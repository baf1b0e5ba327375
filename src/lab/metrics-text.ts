/** A parser of the Prometheus text format. */

export class MetricsText {
  readonly #declared = new Set<string>();
  readonly #samples: { name: string; labels: Record<string, string>; value: number }[] = [];

  constructor(text: string) {
    for (const line of text.split('\n')) {
      const declared = /^# TYPE (\S+)/.exec(line)?.[1];
      if (declared !== undefined) this.#declared.add(declared);
      const sample = /^(\w+)(?:\{(.*)\})? (\S+)/.exec(line);
      if (sample === null) continue;
      const [, name = '', labels = '', value = ''] = sample;
      this.#samples.push({
        name,
        labels: labelsOf(labels),
        value: value === '+Inf' ? Infinity : Number(value),
      });
    }
  }

  /**
   * Sum of the samples that have these labels; 0 without samples.
   * @throws Error for a metric that is not exported, so that a misspelt name does not give 0
   */
  sum(name: string, labels: Record<string, string> = {}): number {
    if (!this.#declared.has(name.replace(/_(sum|count|bucket)$/, '')) && !this.#declared.has(name)) {
      throw new Error(`no metric is called ${name}`);
    }
    return this.#samples
      .filter((sample) => sample.name === name)
      .filter((sample) => Object.entries(labels).every(([key, value]) => sample.labels[key] === value))
      .reduce((sum, { value }) => sum + value, 0);
  }
}

function labelsOf(text: string): Record<string, string> {
  return Object.fromEntries(
    [...text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key = '', value = '']) => [key, value]),
  );
}

/** How much is measured. */
export interface BenchOptions {
  /** Interleaved rounds of everything. */
  repetitions: number;
  /** A fraction of the work, for a quick look. */
  quick: boolean;
}

/**
 * Keys whose values are not to be read whole. A record is some 80 bytes, but a value may have 512 MB, and MGET has no bound:
 * one such value makes its whole batch late, again and again. So what was in a batch that came too late, or was too
 * large, is asked for with a bound from then on (GETRANGE), and a value that is too long is known without asking, until
 * the feed names its key.
 */

/** Bytes of a value that are asked for; a longer one is no record. */
export const LONGEST_READ = 128;
/** Keys remembered of each kind; the oldest are forgotten, and cost one late batch more. */
const MOST_KEYS = 10_000;

export class OversizedValues {
  /** Perhaps too long. */
  readonly #suspects = new Set<string>();
  /** Too long: how the value begins. */
  readonly #known = new Map<string, string>();

  /** Whether any of them is to be read in another way than whole. */
  concerns(keys: readonly string[]): boolean {
    return (
      this.#suspects.size + this.#known.size > 0 &&
      keys.some((key) => this.#suspects.has(key) || this.#known.has(key))
    );
  }

  /** How a value begins that is known to be too long. */
  of(key: string): string | undefined {
    return this.#known.get(key);
  }

  isSuspect(key: string): boolean {
    return this.#suspects.has(key);
  }

  /** They were in a batch that came too late or was too large. */
  suspect(keys: Iterable<string>): void {
    for (const key of keys) if (!this.#known.has(key)) this.#suspects.add(key);
    trim(this.#suspects);
  }

  /** What a key was found to hold. */
  note(key: string, value: string | null): void {
    if (value !== null && value.length >= LONGEST_READ) {
      this.#known.set(key, value.slice(0, LONGEST_READ));
      trim(this.#known);
    }
    if (this.#suspects.size > 0) this.#suspects.delete(key);
  }

  /** It has another value now, perhaps again a long one. */
  heard(key: string): void {
    if (this.#known.delete(key)) this.#suspects.add(key);
  }

  /** Any of them may have another value now. */
  heardOfAll(): void {
    for (const key of this.#known.keys()) this.#suspects.add(key);
    this.#known.clear();
    trim(this.#suspects);
  }

  /** They cannot be asked for with a bound. */
  forget(): void {
    this.#suspects.clear();
  }
}

function trim(kept: Set<string> | Map<string, string>): void {
  for (const oldest of kept.keys()) {
    if (kept.size <= MOST_KEYS) return;
    kept.delete(oldest);
  }
}

/**
 * Keys whose values must not be read whole. A record has some 80 bytes, but a value may have 512 MB, and MGET has no bound:
 * one such value delays its whole batch every time. The keys of a batch that was late or too large become suspect and are
 * read with GETRANGE. The beginning of an oversized value is kept until the feed names its key.
 */

/** Bytes of a value that GETRANGE reads; a longer value is no record. */
export const LONGEST_READ = 128;
/** Keys kept of each kind; a forgotten key costs one more late batch. */
const MOST_KEYS = 10_000;

export class OversizedValues {
  /** Keys whose value may be too long. */
  readonly #suspects = new Set<string>();
  /** The beginning of each value that is too long. */
  readonly #known = new Map<string, string>();

  /** Whether any of the keys must not be read with MGET. */
  concerns(keys: readonly string[]): boolean {
    return (
      this.#suspects.size + this.#known.size > 0 &&
      keys.some((key) => this.#suspects.has(key) || this.#known.has(key))
    );
  }

  /** The beginning of a value that is known to be too long. */
  of(key: string): string | undefined {
    return this.#known.get(key);
  }

  isSuspect(key: string): boolean {
    return this.#suspects.has(key);
  }

  /** The keys were in a batch that was late or too large. */
  suspect(keys: Iterable<string>): void {
    for (const key of keys) if (!this.#known.has(key)) this.#suspects.add(key);
    trim(this.#suspects);
  }

  /** Notes the value that was read for a key. */
  note(key: string, value: string | null): void {
    if (value !== null && value.length >= LONGEST_READ) {
      this.#known.set(key, value.slice(0, LONGEST_READ));
      trim(this.#known);
    }
    if (this.#suspects.size > 0) this.#suspects.delete(key);
  }

  /** The value of the key may have changed, and may be too long again. */
  heard(key: string): void {
    if (this.#known.delete(key)) this.#suspects.add(key);
  }

  /** Every value may have changed. */
  heardOfAll(): void {
    for (const key of this.#known.keys()) this.#suspects.add(key);
    this.#known.clear();
    trim(this.#suspects);
  }

  /** Suspects cannot be read with GETRANGE. */
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

/** Items gone from the front of a queue before the queue gives their memory back. */
const COMPACT = 4_096;

/** First in, first out. */
export class Queue<T> {
  #items: T[] = [];
  // The items before this index are gone: shifting a long array for every item would cost the square of its length.
  #start = 0;

  get size(): number {
    return this.#items.length - this.#start;
  }

  peek(): T | undefined {
    return this.#items[this.#start];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  pushFirst(item: T): void {
    if (this.#start > 0) this.#items[--this.#start] = item;
    else this.#items.unshift(item);
  }

  /** Removes the first item. */
  shift(): void {
    if (this.#start < this.#items.length) this.#advance(1);
  }

  /** Removes and returns the first items, `size` of them or all. */
  take(size: number): T[] {
    const batch = this.#items.slice(this.#start, this.#start + size);
    this.#advance(batch.length);
    return batch;
  }

  clear(): void {
    this.#items = [];
    this.#start = 0;
  }

  #advance(count: number): void {
    this.#start += count;
    const rest = this.#items.length - this.#start;
    // A queue that is never empty gives memory back, too.
    if (rest > 0 && (this.#start < COMPACT || this.#start < rest)) return;
    this.#items = this.#items.slice(this.#start);
    this.#start = 0;
  }
}

import { Observable, type OperatorFunction, type Subscription, isObservable, timer } from 'rxjs';

export interface BatchLimits {
  /** Items handed over at once. Small enough that one asker's batch does not hold up everybody else's. */
  size: number;
  /** Batches under way at once: the next is on its way while the kernel is written with the last. */
  underWay: number;
}

/** What came while busy, and in which order it goes. */
export interface Waiting<T> {
  push(item: T): void;
  /** Up to `size` items, and none while none may go. */
  take(size: number): T[];
  /** Milliseconds until `take` may have something; undefined while nothing waits. */
  readyIn(): number | undefined;
}

/** Items gone from the front of a queue before its memory is given back. */
const COMPACT = 4_096;

/** First come, first served. */
export class Fifo<T> implements Waiting<T> {
  readonly #most: number;
  readonly #overflown: (item: T) => void;
  #items: T[] = [];
  // Items before it are gone already: shifting an array that long for every batch would cost its square.
  #start = 0;

  /** @param most items that may wait @param overflown is told of each that found no room, and is dropped */
  constructor(most = Infinity, overflown: (item: T) => void = () => undefined) {
    this.#most = most;
    this.#overflown = overflown;
  }

  get size(): number {
    return this.#items.length - this.#start;
  }

  push(item: T): void {
    if (this.size >= this.#most) this.#overflown(item);
    else this.#items.push(item);
  }

  take(size: number): T[] {
    const batch = this.#items.slice(this.#start, this.#start + size);
    this.#start += batch.length;
    // A queue that is never empty gives its memory back, too.
    if (
      this.#start === this.#items.length ||
      (this.#start >= COMPACT && this.#start * 2 >= this.#items.length)
    ) {
      this.#items = this.#items.slice(this.#start);
      this.#start = 0;
    }
    return batch;
  }

  readyIn(): number | undefined {
    return this.#start < this.#items.length ? 0 : undefined;
  }
}

/**
 * Hands what arrives to `project` at once while fewer than `underWay` batches are out, and otherwise gathers it:
 * everything that came while busy is the next batch. So the first item of a burst never waits for a batch to fill,
 * and a flood travels in full ones. No timer, unless what waits is held back by `waiting` itself. A result that is there at once costs no subscription.
 *
 * `project` must not fail: an error is a value by then. One that does ends the stream, as in any operator.
 */
export function batchWhileBusy<T, R>(
  project: (batch: T[]) => R | Observable<R>,
  limits: BatchLimits,
  waiting: Waiting<T> = new Fifo(),
): OperatorFunction<readonly T[], R> {
  return (source) =>
    new Observable<R>((subscriber) => {
      let underWay = 0;
      let completed = false;
      let later: Subscription | undefined;

      // A project that completes at once calls back into here: the loop below is then still running and goes on.
      let pumping = false;

      const pump = (): void => {
        if (pumping) return;
        pumping = true;
        while (underWay < limits.underWay && !subscriber.closed) {
          const batch = waiting.take(limits.size);
          if (batch.length === 0) break;
          const result = project(batch);
          if (!isObservable(result)) {
            subscriber.next(result);
            continue;
          }
          underWay++;
          subscriber.add(
            result.subscribe({
              next: (value) => {
                subscriber.next(value);
              },
              error: (error: unknown) => {
                subscriber.error(error);
              },
              complete: () => {
                underWay--;
                pump();
              },
            }),
          );
        }
        pumping = false;
        const wait = underWay < limits.underWay ? waiting.readyIn() : undefined;
        if (wait !== undefined) pumpIn(wait);
        else if (completed && underWay === 0) subscriber.complete();
      };

      const pumpIn = (milliseconds: number): void => {
        if (later !== undefined) return;
        later = timer(milliseconds).subscribe({
          next: () => {
            later = undefined;
            pump();
          },
          error: (error: unknown) => {
            subscriber.error(error);
          },
        });
        subscriber.add(later);
      };

      subscriber.add(
        source.subscribe({
          next: (items) => {
            for (const item of items) waiting.push(item);
            pump();
          },
          error: (error: unknown) => {
            subscriber.error(error);
          },
          complete: () => {
            completed = true;
            pump();
          },
        }),
      );
    });
}

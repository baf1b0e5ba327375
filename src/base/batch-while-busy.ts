import { Observable, type OperatorFunction, type Subscription, isObservable, timer } from 'rxjs';
import { Queue } from './queue.ts';

export interface BatchLimits {
  /** Items of a batch at most. Small enough that the batch of one asker does not delay the others. */
  size: number;
  /** Batches under way at once: the directory reads the next while the kernel writes the last. */
  underWay: number;
}

/** Items that arrived while busy, in the order in which they will go. */
export interface Waiting<T> {
  push(item: T): void;
  /** At most `size` items; none while none may go. */
  take(size: number): T[];
  /** Milliseconds until `take` may return items; undefined while none waits. */
  readyIn(): number | undefined;
}

/** First come, first served. */
export class Fifo<T> implements Waiting<T> {
  readonly #most: number;
  readonly #overflown: (item: T) => void;
  readonly #items = new Queue<T>();

  /** @param most items that may wait @param overflown called with each item that found no room and is dropped */
  constructor(most = Infinity, overflown: (item: T) => void = () => undefined) {
    this.#most = most;
    this.#overflown = overflown;
  }

  get size(): number {
    return this.#items.size;
  }

  push(item: T): void {
    if (this.size >= this.#most) this.#overflown(item);
    else this.#items.push(item);
  }

  take(size: number): T[] {
    return this.#items.take(size);
  }

  readyIn(): number | undefined {
    return this.size > 0 ? 0 : undefined;
  }
}

/**
 * Hands items to `project` at once while fewer than `underWay` batches are out, and otherwise gathers them: all items that
 * arrived while busy are the next batch. So the first item of a burst never waits for a batch to fill, and a flood travels
 * in full batches. There is no timer unless `waiting` holds items back. A result that is no Observable costs no subscription.
 *
 * `project` must turn its errors into values: an error of `project` ends the stream, as in any operator.
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

      // A result that completes at once calls `pump` again, while the loop below is still running.
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

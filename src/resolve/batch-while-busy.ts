import { Observable, type ObservableInput, type OperatorFunction, from } from 'rxjs';

export interface BatchLimits {
  /** Items handed over at once. Small enough that one asker's batch does not hold up everybody else's. */
  size: number;
  /** Batches under way at once: the next is on its way while the kernel is written with the last. */
  underWay: number;
}

/**
 * Hands what arrives to `project` at once while fewer than `underWay` batches are out, and otherwise gathers it:
 * everything that came while busy is the next batch. So the first item of a burst never waits for a batch to fill,
 * and a flood travels in full ones. No timer.
 *
 * `project` must not fail: an error is a value by then. One that does ends the stream, as in any operator.
 */
export function batchWhileBusy<T, R>(
  project: (batch: T[]) => ObservableInput<R>,
  limits: BatchLimits,
): OperatorFunction<readonly T[], R> {
  return (source) =>
    new Observable<R>((subscriber) => {
      let waiting: T[] = [];
      // Items before `start` are gone already: shifting an array that long for every batch would cost its square.
      let start = 0;
      let underWay = 0;
      let completed = false;

      // A project that completes at once calls back into here: the loop below is then still running and goes on.
      let pumping = false;

      const pump = (): void => {
        if (pumping) return;
        pumping = true;
        while (underWay < limits.underWay && start < waiting.length) {
          const batch = waiting.slice(start, start + limits.size);
          start += batch.length;
          if (start === waiting.length) {
            waiting = [];
            start = 0;
          }
          underWay++;
          subscriber.add(
            from(project(batch)).subscribe({
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
        if (completed && underWay === 0) subscriber.complete();
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

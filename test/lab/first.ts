import { type Observable, filter, take, throwIfEmpty, timeout } from 'rxjs';

/** The first value that is as wanted; rejects when none comes within so many ms, or the stream ends without one. */
export const first = <T>(stream$: Observable<T>, is: (value: T) => boolean, within = 50_000): Promise<T> =>
  new Promise((resolve, reject) => {
    stream$
      .pipe(filter(is), take(1), timeout(within), throwIfEmpty())
      .subscribe({ next: resolve, error: reject });
  });

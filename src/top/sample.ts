/** Samples a daemon periodically, whether it answers or not. */
import { type Observable, catchError, exhaustMap, map, of, timer } from 'rxjs';
import { monotonic } from '../base/clock.ts';
import { askStatus, whySilent } from '../observe/http/ask.ts';
import type { Status } from '../observe/http/status.ts';

/** The result of one sample. */
export type Sample = {
  /** When, and the same on the clock that only goes forward, ms. */
  time: Date;
  at: number;
} & ({ status: Status } | { silent: string });

/** A look at once and then one every so many seconds; one that takes longer than that is waited for. */
export const samples = (url: string, seconds: number): Observable<Sample> =>
  timer(0, seconds * 1000).pipe(
    exhaustMap(() =>
      askStatus(url).pipe(
        map((status) => ({ status })),
        catchError((error: unknown) => of({ silent: whySilent(error) })),
        map((seen) => ({ ...seen, time: new Date(), at: monotonic() })),
      ),
    ),
  );

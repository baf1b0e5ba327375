/** Samples a daemon periodically, whether it answers or not. */
import { type Observable, catchError, exhaustMap, map, of, timer } from 'rxjs';
import { monotonic } from '../base/clock.ts';
import { askStatus, whySilent } from '../observe/http/ask.ts';
import type { Status } from '../observe/http/status.ts';

/** The result of one sample. */
export type Sample = {
  time: Date;
  /** The same on the monotonic clock, ms. */
  at: number;
} & ({ status: Status } | { silent: string });

/** Samples at once and then every `seconds`; a sample that takes longer delays the next. */
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

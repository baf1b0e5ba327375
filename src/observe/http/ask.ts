/** Requests from a running daemon's HTTP server. */
import { fromFetch } from 'rxjs/fetch';
import { type Observable, throwError, timeout } from 'rxjs';
import type { HostPort } from '../../config/parse.ts';
import { reasonOf } from '../../base/errors.ts';
import type { Status } from './status.ts';

/** Timeout of a request, ms. */
const TIMEOUT = 2_000;

export const statusUrl = ({ host, port }: HostPort): string =>
  `http://${host.includes(':') ? `[${host}]` : host}:${port}/status`;

/** One answer, or an error; unsubscribing aborts the request. */
export const askStatus = (url: string): Observable<Status> =>
  fromFetch(url, {
    selector: async (response) => {
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      return (await response.json()) as Status;
    },
  }).pipe(
    timeout({
      each: TIMEOUT,
      with: () => throwError(() => new Error(`no answer within ${TIMEOUT / 1000} s`)),
    }),
  );

/** Why there was no answer. `fetch` puts the reason into the cause of its error. */
export const whySilent = (error: unknown): string =>
  reasonOf(error instanceof Error && error.cause !== undefined ? error.cause : error);

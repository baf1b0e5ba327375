/**
 * Catches errors. An error (the kernel does not answer, an unforeseen record, a mistake in missd) fails the step that it
 * happens in, never the process or another network: it is counted and logged, and the rest goes on.
 *
 *   attempt        one step
 *   attemptOn      one step for one device
 *   attemptLater   one asynchronous step
 *   inLane         a bounded queue of work in batches: the work for a batch, and a conclusion from its result
 *   revived        a stream that is subscribed to again when it ends with an error
 */
import type { LaneName } from './outcomes.ts';
import {
  type MonoTypeOperatorFunction,
  type Observable,
  type OperatorFunction,
  catchError,
  filter,
  isObservable,
  map,
  of,
  retry,
  tap,
  timer,
} from 'rxjs';
import { type BatchLimits, type Waiting, Fifo, batchWhileBusy } from './batch-while-busy.ts';

/** Receives errors. Neither method throws. */
export interface Faults {
  /** An error in a lane; the work under way there is lost. */
  broken(lane: LaneName, error: unknown): void;
  /** A lane had no room for so many items. */
  overflown(lane: LaneName, count: number): void;
}

/** Does work that may throw. @returns undefined where it threw */
export function attempt<T>(lane: LaneName, work: () => T, faults: Faults): T | undefined {
  try {
    return work();
  } catch (error) {
    faults.broken(lane, error);
    return undefined;
  }
}

interface Leaving {
  readonly gone: boolean;
}

const isGone = ({ gone }: Leaving): boolean => gone;

/** The same for one device. A device that is no longer served gets no work, and its errors are not reported. */
export function attemptOn<T>(device: Leaving, lane: LaneName, work: () => T, faults: Faults): T | undefined {
  if (isGone(device)) return undefined;
  try {
    return work();
  } catch (error) {
    // The device goes when its namespace is closed in the meantime.
    if (!isGone(device)) faults.broken(lane, error);
    return undefined;
  }
}

/** Never rejects, and never throws even where `work` throws synchronously. */
export async function attemptLater<T>(
  lane: LaneName,
  work: () => Promise<T> | T,
  faults: Faults,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    faults.broken(lane, error);
    return undefined;
  }
}

export interface LaneWork<T, R, C> {
  /** The work for a batch: a result, or an Observable of one result or none. */
  work: (batch: T[]) => R | Observable<R>;
  /** The conclusion from a result; emitted downstream unless undefined. */
  conclude: (result: R) => C | undefined;
  /** The conclusion for a batch whose `work` or `conclude` threw. */
  instead?: (batch: T[]) => C | undefined;
}

export interface LaneLimits<T> extends BatchLimits {
  /** Items that may wait; further items are dropped and counted. */
  most: number;
  /** Called with each dropped item. */
  dropped?: (item: T) => void;
}

/**
 * Does work in batches, see `batchWhileBusy`. An error of `work` or `conclude` does not end the lane: the next batch
 * follows.
 * @param limits with `waiting`, a queue that bounds itself; otherwise first come, first served, up to `most` items
 */
export function inLane<T, R, C = never>(
  name: LaneName,
  { work, conclude, instead }: LaneWork<T, R, C>,
  limits: LaneLimits<T> | (BatchLimits & { waiting: Waiting<T> }),
  faults: Faults,
): OperatorFunction<readonly T[], C> {
  const broken = (error: unknown, batch: T[]): C | undefined => {
    faults.broken(name, error);
    return instead === undefined ? undefined : attempt(name, () => instead(batch), faults);
  };
  const concluded = (result: R, batch: T[]): C | undefined => {
    try {
      return conclude(result);
    } catch (error) {
      return broken(error, batch);
    }
  };
  const project = (batch: T[]): C | undefined | Observable<C | undefined> => {
    let result: R | Observable<R>;
    try {
      result = work(batch);
    } catch (error) {
      return broken(error, batch);
    }
    if (!isObservable(result)) return concluded(result, batch);
    return result.pipe(
      map((one) => concluded(one, batch)),
      catchError((error: unknown) => of(broken(error, batch))),
    );
  };
  const waiting =
    'waiting' in limits
      ? limits.waiting
      : new Fifo<T>(limits.most, (item) => {
          faults.overflown(name, 1);
          limits.dropped?.(item);
        });
  return (source) =>
    source.pipe(
      batchWhileBusy(project, limits, waiting),
      filter((conclusion) => conclusion !== undefined),
    );
}

/** Delay before a failed stream is subscribed to again, ms. */
const REVIVAL = 1_000;

/** Subscribes again to a stream that ends with an error. @param missed called then, since values in between are lost */
export function revived<T>(
  lane: LaneName,
  faults: Faults,
  missed: () => void = () => undefined,
): MonoTypeOperatorFunction<T> {
  return (source) => {
    let again = false;
    return source.pipe(
      tap({
        subscribe: () => {
          if (again) attempt(lane, missed, faults);
        },
      }),
      retry({
        delay: (error: unknown) => {
          faults.broken(lane, error);
          again = true;
          return timer(REVIVAL);
        },
      }),
    );
  };
}

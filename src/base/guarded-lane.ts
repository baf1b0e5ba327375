/**
 * Where what breaks is caught. A fault (a kernel that does not even answer, a record nobody thought of, a mistake of ours)
 * costs the step that it is met in, never the process or another network: it is counted, said in the log folded, and the
 * rest goes on.
 *
 *   attempt        one step
 *   attemptOn      one step for one device
 *   attemptLater   the same for what takes its time
 *   inLane         a bounded queue of work in batches: what is done for a batch, and what is concluded from it
 *   revived        a stream from elsewhere that ended with an error: it is subscribed to again
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

/** Who is told. Neither throws. */
export interface Faults {
  /** Something broke, and what was under way there is lost. */
  broken(lane: LaneName, error: unknown): void;
  /** So many items found no room in a lane. */
  overflown(lane: LaneName, count: number): void;
}

/** Does what may throw. @returns undefined where it did */
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

/** The same for one device: of one that is no longer served nothing is done, nor is it news what breaks there. */
export function attemptOn<T>(device: Leaving, lane: LaneName, work: () => T, faults: Faults): T | undefined {
  if (isGone(device)) return undefined;
  try {
    return work();
  } catch (error) {
    // Its namespace was closed meanwhile, and took it along.
    if (!isGone(device)) faults.broken(lane, error);
    return undefined;
  }
}

/** Never rejects, and never throws where `work` does so at once. */
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
  /** What is done for a batch: a result, one later, or none. */
  work: (batch: T[]) => R | Observable<R>;
  /** What is concluded from that, and told downstream unless it is undefined. */
  conclude: (result: R) => C | undefined;
  /** What becomes of a batch whose work or conclusion broke; told downstream as a conclusion is. */
  instead?: (batch: T[]) => C | undefined;
}

export interface LaneLimits<T> extends BatchLimits {
  /** Items that may wait; what comes beyond is dropped and counted. */
  most: number;
  /** Hears of each that is dropped. */
  dropped?: (item: T) => void;
}

/**
 * Does work in batches, see `batchWhileBusy`. Neither an error of the work nor one of its conclusion ends the lane: the
 * next batch goes its way.
 * @param waiting bounds itself; without it the first to come is the first to go, up to `most`
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

/** Before a stream that ended with an error is subscribed to again, ms. */
const REVIVAL = 1_000;

/** A stream that is subscribed to again when it ends with an error. @param missed called then: what it said meanwhile is not known */
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

import { EMPTY, Observable, Subject, delay, from, of, throwError, timer } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';
import { type BatchLimits, batchWhileBusy } from '../../../src/base/batch-while-busy.ts';
import { watch } from '../fake/world.ts';

const marbles = (test: Parameters<TestScheduler['run']>[0]): void => {
  new TestScheduler((actual, expected) => {
    expect(actual).toEqual(expected);
  }).run(test);
};

/** Every letter of a source is a burst of its letters; what comes out is a batch as text, 4 frames later. */
const bursts = {
  a: ['a'],
  b: ['b'],
  c: ['c'],
  d: ['d'],
  e: ['e'],
  x: ['v', 'w', 'x', 'y', 'z'],
  n: [] as string[],
};
const slow = (batch: string[]): Observable<string> => of(batch.join('')).pipe(delay(4));
const limits: BatchLimits = { size: 3, underWay: 2 };

describe('batchWhileBusy', () => {
  it('emits the first item at once, and collects items while two batches are in flight', () => {
    marbles(({ cold, expectObservable }) => {
      const source = cold('abcde----------|', bursts);
      const expected = '   ----pq--r------|';
      expectObservable(source.pipe(batchWhileBusy(slow, limits))).toBe(expected, {
        p: 'a',
        q: 'b',
        r: 'cde',
      });
    });
  });

  it('emits nothing for an empty burst', () => {
    marbles(({ cold, expectObservable }) => {
      expectObservable(cold('n-n|', bursts).pipe(batchWhileBusy(slow, limits))).toBe('---|');
    });
  });

  it('limits a batch to its size, in order', () => {
    marbles(({ cold, expectObservable }) => {
      const source = cold('x---------|', bursts);
      expectObservable(source.pipe(batchWhileBusy(slow, { size: 2, underWay: 1 }))).toBe('----p---q---(r|)', {
        p: 'vw',
        q: 'xy',
        r: 'z',
      });
    });
  });

  it('completes after the last batch', () => {
    marbles(({ cold, expectObservable }) => {
      expectObservable(cold('a|', bursts).pipe(batchWhileBusy(slow, limits))).toBe('----(p|)', { p: 'a' });
      expectObservable(EMPTY.pipe(batchWhileBusy(slow, limits))).toBe('|');
    });
  });

  it('ends with an error of the source or of a batch', () => {
    marbles(({ cold, expectObservable }) => {
      expectObservable(cold('a-#', bursts).pipe(batchWhileBusy(slow, limits))).toBe('--#');
      const failure = new Error('broken');
      const failing = (): Observable<string> => throwError(() => failure);
      expectObservable(cold('-a--|', bursts).pipe(batchWhileBusy(failing, limits))).toBe(
        '-#',
        undefined,
        failure,
      );
    });
  });

  it('unsubscribes from source and batches', () => {
    marbles(({ cold, hot, expectObservable, expectSubscriptions }) => {
      const inner = cold('------i');
      const source = hot('a---------', bursts);
      expectObservable(source.pipe(batchWhileBusy(() => inner, limits)), '---!').toBe('----');
      expectSubscriptions(source.subscriptions).toBe('^--!');
      expectSubscriptions(inner.subscriptions).toBe('^--!');
    });
  });

  it('starts the next batch of a synchronous project without growing the stack', () => {
    const numbers = Array.from({ length: 100_000 }, (_, n) => n);
    const seen: number[] = [];
    watch(of(numbers).pipe(batchWhileBusy((batch) => from(batch), { size: 1, underWay: 1 })), (n) =>
      seen.push(n),
    );
    expect(seen).toEqual(numbers);
  });

  it('accepts items that its own output causes', () => {
    const source = new Subject<number[]>();
    const batches: number[][] = [];
    const project = (batch: number[]): Observable<number[]> => {
      batches.push(batch);
      return of(batch);
    };
    watch(source.pipe(batchWhileBusy(project, { size: 10, underWay: 1 })), (batch) => {
      source.next(batch.filter((n) => n < 3).map((n) => n + 1));
    });
    source.next([1, 2]);
    expect(batches).toEqual([[1, 2], [2, 3], [3]]);
  });

  it('never exceeds its concurrency, and never waits below it', () => {
    marbles(({ cold, flush }) => {
      let underWay = 0;
      let most = 0;
      const project = (batch: string[]): Observable<string> =>
        new Observable((subscriber) => {
          most = Math.max(most, ++underWay);
          return watch(timer(batch.length * 3), () => {
            underWay--;
            subscriber.complete();
          });
        });
      watch(cold('axbxcxdxe|', bursts).pipe(batchWhileBusy(project, { size: 2, underWay: 3 })));
      flush();
      expect(most).toBe(3);
      expect(underWay).toBe(0);
    });
  });
});

it('emits a synchronous result at once, before the items that it causes', () => {
  const more = new Subject<string[]>();
  const seen: string[] = [];
  watch(more.pipe(batchWhileBusy((batch) => batch.join(''), limits)), (joined) => {
    seen.push(joined);
    if (joined === 'abc') more.next(['x']);
  });
  more.next(['a', 'b', 'c', 'd']);
  expect(seen).toEqual(['abc', 'dx']);
});

import { NEVER, Subject, concat, of, throwError } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type Faults,
  attempt,
  attemptLater,
  attemptOn,
  inLane,
  revived,
} from '../../../src/base/guarded-lane.ts';
import { RecheckQueue } from '../../../src/reconcile/recheck-queue.ts';
import { FullResync } from '../../../src/reconcile/full-resync.ts';
import { Fifo } from '../../../src/base/batch-while-busy.ts';
import { World, turns, watch } from '../fake/world.ts';

class Told implements Faults {
  readonly broke: string[] = [];
  dropped = 0;
  broken(lane: string, error: unknown): void {
    this.broke.push(`${lane}: ${error instanceof Error ? error.message : String(error)}`);
  }
  overflown(_: string, count: number): void {
    this.dropped += count;
  }
}

const fail = (what: string): string => {
  throw new Error(what);
};

let faults: Told;
beforeEach(() => {
  faults = new Told();
});

describe('a step', () => {
  it('that throws is reported and has no result', async () => {
    expect(attempt('audit', () => 5, faults)).toBe(5);
    expect(attempt('audit', () => fail('at once'), faults)).toBeUndefined();
    expect(
      await attemptLater('adopt', () => Promise.reject<string>(new Error('later')), faults),
    ).toBeUndefined();
    expect(await attemptLater('adopt', () => fail('not even later'), faults)).toBeUndefined();
    expect(faults.broke).toEqual(['audit: at once', 'adopt: later', 'adopt: not even later']);
  });

  it('for a removed device does not run, and its error is not reported if the device is removed meanwhile', () => {
    const device = { gone: false };
    expect(attemptOn(device, 'evict', () => 5, faults)).toBe(5);
    const leave = (): string => {
      device.gone = true;
      return fail('the namespace is closed');
    };
    expect(attemptOn(device, 'evict', leave, faults)).toBeUndefined();
    expect(attemptOn(device, 'evict', () => fail('never called'), faults)).toBeUndefined();
    expect(faults.broke).toEqual([]);
  });
});

describe('a lane', () => {
  it('goes on with the next batch, at whatever point the batch before failed', () => {
    const items = new Subject<string[]>();
    const ended: unknown[] = [];
    const lane = inLane<string, string, string>(
      'bridge_entries',
      {
        work: ([item = '']) =>
          item === 'work' ? fail(item) : item === 'stream' ? throwError(() => new Error(item)) : item,
        conclude: (item) => (item === 'conclusion' ? fail(item) : item),
        instead: ([item = '']) => (item === 'stream' ? fail('instead') : `no ${item}`),
      },
      { size: 1, underWay: 1, most: 10 },
      faults,
    );
    watch(items.pipe(lane), (one) => ended.push(one));
    items.next(['a', 'work', 'b', 'stream', 'c', 'conclusion', 'd']);
    expect(ended).toEqual(['a', 'no work', 'b', 'c', 'no conclusion', 'd']);
    expect(faults.broke).toEqual(
      ['work', 'stream', 'instead', 'conclusion'].map((one) => `bridge_entries: ${one}`),
    );
  });

  it('is bounded, and counts dropped items', () => {
    const items = new Subject<number[]>();
    const dropped: number[] = [];
    const limits = { size: 1, underWay: 1, most: 2, dropped: (item: number) => dropped.push(item) };
    watch(items.pipe(inLane('proactive', { work: () => NEVER, conclude: () => undefined }, limits, faults)));
    items.next([1, 2, 3]);
    items.next([4, 5]);
    // One is under way. The first burst had all its room before any of it went.
    expect(dropped).toEqual([3, 5]);
    expect(faults.dropped).toBe(2);
  });
});

describe('a guarded stream', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('is subscribed to again after an error, and reports the gap', async () => {
    let times = 0;
    const source$ = concat(
      of('before'),
      new Subject<string>().pipe(() => (++times, throwError(() => new Error('gone')))),
    );
    const heard: string[] = [];
    const following = watch(source$.pipe(revived('changes', faults, () => heard.push('missed'))), (one) =>
      heard.push(one),
    );
    await vi.advanceTimersByTimeAsync(2_500);
    following.unsubscribe();
    expect(heard).toEqual(['before', 'missed', 'before', 'missed', 'before']);
    expect(faults.broke).toEqual(Array(3).fill('changes: gone'));
    expect(times).toBe(1);
  });
});

describe('a queue', () => {
  it('that is never empty releases its memory', () => {
    const queue = new Fifo<object>();
    const first = Array.from({ length: 10_000 }, () => ({}));
    for (const item of first) queue.push(item);
    for (let n = 0; n < 9_000; n++) queue.take(1);
    expect(queue.size).toBe(1_000);
    expect(queue.take(1)[0]).toBe(first[9_000]);
    expect(queue.take(5_000)).toHaveLength(999);
  });

  it('of rechecks has each entry once, and no outdated entry', async () => {
    const world = new World();
    const device = world.device();
    const queue = new RecheckQueue();
    const recheck = (key: string, cause: 'change' | FullResync) =>
      ({ device, table: 'neighbour', key, cause }) as const;
    for (let n = 0; n < 100_000; n++) queue.push(recheck(String(n % 10), 'change'));
    expect(queue.size).toBe(10);
    // A feed that breaks again and again while the directory does not answer.
    for (let gap = 0; gap < 20; gap++) {
      const resync = new FullResync('gap', [device], []);
      for (let n = 0; n < 5_000; n++) queue.push(recheck(String(n), resync));
      resync.overtaken = true;
    }
    expect(queue.size).toBeLessThan(40_000);
    expect(queue.take(10)).toHaveLength(10);
    queue.push(recheck('0', 'change'));
    await turns();
    expect(queue.take(100_000).filter(({ cause }) => cause === 'change')).toHaveLength(1);
  });
});

import { questionsOf } from '../../../src/model/device-questions.ts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ip, turns } from '../fake/world.ts';
import { Asking, l3 } from './asking.ts';

let world: Asking;

beforeEach(() => {
  world = new Asking();
});

afterEach(() => {
  vi.useRealTimers();
  expect(world.unaccounted()).toBe(0);
});

describe('a directory that is away', () => {
  /** Virtual seconds pass, in steps of the shortest retry. */
  async function pass(ms: number): Promise<void> {
    for (let at = 0; at < ms; at += 100) {
      world.time += 100;
      await vi.advanceTimersByTimeAsync(100);
    }
  }

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'clearTimeout', 'clearInterval', 'Date'] });
    world.record(1);
    world.directory.fail('down');
  });

  it('is asked less and less often, and answers as soon as it is back', async () => {
    world.raise(l3(1));
    await pass(10_000);
    expect(world.outcomes).toEqual([]);
    const tries = world.directory.reads.length;
    expect(tries).toBeGreaterThan(5);
    expect(tries).toBeLessThan(12);
    await pass(500);
    world.directory.recover();
    await turns();
    expect(world.outcomes).toEqual(['resolved']);
    expect(world.counters.lookupFailures).toBe(tries);
  });

  it('fails a question after a minute, and the next miss asks again', async () => {
    world.raise(l3(1));
    await pass(63_000);
    expect(world.outcomes).toEqual(['failed']);
    expect(questionsOf(world.served).inFlight.size).toBe(0);
    world.directory.recover();
    world.raise(l3(1));
    await turns();
    expect(world.outcomes).toEqual(['failed', 'resolved']);
  });

  it('fails questions at once that have waited too long', async () => {
    world.raise(l3(1));
    world.raise(l3(2));
    world.raise(l3(3));
    await pass(63_000);
    const reads = world.directory.reads.flat().filter(({ address }) => address === ip(3));
    expect(reads).toEqual([]);
    expect(world.outcomes).toEqual(['failed', 'failed', 'failed']);
  });
});

describe('a removed device', () => {
  it('ends its questions: they fail once, and no entry is written', async () => {
    world.record(1);
    world.directory.hold();
    world.raise(l3(1));
    world.admission.abandon(world.served);
    expect(world.unaccounted()).toBe(0);
    world.directory.release();
    await turns();
    expect(world.counters.resolutions.l3.failed).toBe(1);
    expect(world.kernel.written).toEqual([]);
  });

  it('does not end the same questions of its successor', async () => {
    world.record(1);
    world.directory.hold();
    world.raise(l3(1));
    world.admission.abandon(world.served);
    world.raise(l3(1));
    world.directory.release();
    await turns();
    expect(world.counters.resolutions.l3).toMatchObject({ failed: 1, resolved: 1 });
  });
});

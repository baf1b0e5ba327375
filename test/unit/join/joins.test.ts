/** What the directory does to a network of `--join`; what the kernel does is in test/lab/join.test.ts. */
import { pino } from 'pino';
import { NEVER, type Subscription } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FoldedLog } from '../../../src/base/log.ts';
import { DirectoryError } from '../../../src/directory/directory.ts';
import type { Network } from '../../../src/directory/network.ts';
import { Joins } from '../../../src/join/joins.ts';

/** A namespace that is not there, so that nothing of this machine is changed. */
const NOWHERE = '/run/netns/missd-test-nowhere';
const site = {
  ...{ underlay: NOWHERE, networks: NOWHERE, local: [], hostId: undefined },
  ...{ masquerade: false, subnetFile: undefined },
};

let lines: string[] = [];
let answer: () => Promise<Network | undefined>;
let joins: Joins;
let working: Subscription;
const broken: unknown[] = [];

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance', 'Date'],
  });
  lines = [];
  const log = pino({ base: null }, { write: (line: string) => void lines.push(line) });
  const now = (): number => performance.now();
  joins = new Joins(['blue'], site, NOWHERE, {
    ...{
      directory: { network: () => answer() },
      host: { links$: NEVER, linksOf: () => [], isServed: () => true },
    },
    ...{ log, complaints: new FoldedLog(log, now), now },
    faults: { broken: (_lane, error) => void broken.push(error), overflown: () => undefined },
    prefixOf: () => Promise.reject(new Error('no prefix')),
    release: () => Promise.resolve(),
    stands: () => undefined,
  });
});

afterEach(() => {
  working.unsubscribe();
  vi.useRealTimers();
  expect(broken).toEqual([]);
});

const reason = (): string => {
  const [state] = joins.states();
  return state?.state === 'joined' ? 'joined' : (state?.reason ?? '');
};

describe.each([
  [
    'does not answer',
    () => Promise.reject(new DirectoryError('no answer')),
    'the directory does not answer: no answer',
  ],
  ['has no such network', () => Promise.resolve(undefined), 'there is no such network'],
  ['has a wrong record', () => Promise.reject(new Error('mtu: wrong')), 'mtu: wrong'],
  [
    'throws',
    () => {
      throw new Error('injected');
    },
    'injected',
  ],
] as const)('a directory that %s', (_, does, said) => {
  it('is asked again, and the error is logged once', async () => {
    let asked = 0;
    answer = () => {
      asked++;
      return does();
    };
    working = joins.work$().subscribe();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(reason()).toContain(said);
    expect(asked).toBeGreaterThan(2);
    expect(lines.filter((line) => line.includes(said)).length).toBe(1);
    expect(joins.missing()).toEqual([expect.stringContaining(said)]);
  });
});

it('reads at once when any record may have changed', async () => {
  let asked = 0;
  answer = () => {
    asked++;
    return Promise.resolve(undefined);
  };
  working = joins.work$().subscribe();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(asked).toBe(1);
  joins.recordChanged();
  await vi.advanceTimersByTimeAsync(200);
  expect(asked).toBe(2);
});

it('leaves no network that it has not joined', async () => {
  working = joins.work$().subscribe();
  expect(await joins.leave('red')).toBeUndefined();
});

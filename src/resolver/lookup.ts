/**
 * Stage 4 of a miss: the directory's word on questions. Takes a batch of questions; gives each an answer, `absent` where no
 * record and no lease names the address, or `failed` where the directory has not answered within `DIRECTORY_TIMEOUT`.
 */
import { NEVER, type Observable, catchError, defer, filter, map, of, race, retry, skip, timer } from 'rxjs';
import type { Clock } from '../base/clock.ts';
import type { Faults } from '../base/guarded-lane.ts';
import { observeWaits } from '../base/histogram.ts';
import { type Directory, DirectoryError, type RecordKey, type Values } from '../directory/directory.ts';
import type { Counters } from '../model/counters.ts';
import { questionsOf } from '../model/device-questions.ts';
import type { Answer, Question } from '../model/question.ts';
import { type RecordPolicy, answerL2, answerL3 } from './select-record.ts';

/** What reading the directory takes. */
export interface LookupDeps {
  report: Faults;
  directory: Directory;
  policy: RecordPolicy;
  counters: Counters;
  now: Clock;
}

export interface Answered {
  question: Question;
  result: Answer | 'absent' | 'failed';
}

/** How long a read of the directory is repeated, ms. The application behind a question has given up by then. */
export const DIRECTORY_TIMEOUT = 60_000;
/** The same for records that changed and that no guest waits for, ms. */
export const CHANGE_TIMEOUT = 5_000;
/** Between tries, ms: doubled from the first to the longest. A directory that is back is asked at once. */
const FIRST_DELAY = 100;
const LONGEST_DELAY = 2_000;

/**
 * Answers questions without a read, where the directory is known to have no record of the address: from the lease that
 * covers the address. Where no lease covers it either, the question stays open, because a record may be on its way.
 */
export function answerFromLease(
  questions: Question[],
  { directory, policy }: LookupDeps,
): { known: Answered[]; open: Question[] } {
  const known: Answered[] = [];
  const open: Question[] = [];
  for (const question of questions) {
    const { device, layer, address, waiting } = question;
    const lacksRecord = layer === 'l3' && !waiting && directory.lacksRecord(device.vni, address);
    const result = lacksRecord ? answerL3(policy, device, address, null) : undefined;
    if (result === undefined) open.push(question);
    else known.push({ question, result });
  }
  return { known, open };
}

/** Reads the records of a batch in one round trip, and again while the directory is away. Never fails. */
export function lookup(batch: Question[], deps: LookupDeps): Answered[] | Observable<Answered[]> {
  const { now, counters } = deps;
  const started = now();
  const inTime = batch.filter((question) => started - question.receivedAt < DIRECTORY_TIMEOUT);
  const late = batch.filter((question) => !inTime.includes(question));
  if (inTime.length === 0) return failed(late);

  observeWaits(counters.stageSeconds.queue, inTime, started);
  const asked = inTime.map((question) => keysOf(question));
  for (const [index, question] of inTime.entries()) expectChanges(question, asked[index]);
  const conclude = (values: Values | undefined): Answered[] => {
    for (const [index, question] of inTime.entries()) expectNoChanges(question, asked[index]);
    if (values === undefined) return failed(batch);
    counters.stageSeconds.lookup.observe((now() - started) / 1000, inTime.length);
    let next = 0;
    const answered = inTime.map<Answered>((question, index) => {
      const keys = asked[index] ?? [];
      const mine = values.slice(next, (next += keys.length));
      return { question, result: answerOf(question, keys, mine, deps) };
    });
    return late.length === 0 ? answered : [...answered, ...failed(late)];
  };
  const keys = asked.flat();
  const deadline = Math.min(...inTime.map(({ receivedAt }) => receivedAt)) + DIRECTORY_TIMEOUT;
  return readUntil(keys, deadline, deps).pipe(map(conclude));
}

const failed = (questions: Question[]): Answered[] =>
  questions.map((question) => ({ question, result: 'failed' }));

/** The `ip:` record of an L3 miss; for an L2 miss the `mac:` record and those of the addresses known to use the MAC. */
function keysOf({ device, layer, address }: Question): RecordKey[] {
  const { vni } = device;
  if (layer === 'l3') return [{ vni, kind: 'ip', address }];
  const addresses = device.tables.addressesOf(address);
  return [
    { vni, kind: 'mac', address },
    ...addresses.map<RecordKey>((ip) => ({ vni, kind: 'ip', address: ip })),
  ];
}

/** Registers the question for changes of its further keys. Its first key is its address, which `inFlight` has. */
function expectChanges(question: Question, [, ...others]: RecordKey[] = []): void {
  const { reading } = questionsOf(question.device);
  for (const { address } of others) {
    const readers = reading.get(address);
    if (readers === undefined) reading.set(address, new Set([question]));
    else readers.add(question);
  }
}

function expectNoChanges(question: Question, [, ...others]: RecordKey[] = []): void {
  const { reading } = questionsOf(question.device);
  for (const { address } of others) {
    const readers = reading.get(address);
    readers?.delete(question);
    if (readers?.size === 0) reading.delete(address);
  }
}

/** An exception while a record is parsed fails that question alone. */
function answerOf(
  question: Question,
  keys: RecordKey[],
  values: (string | null)[],
  { policy, report }: LookupDeps,
): Answered['result'] {
  const { device, layer, address } = question;
  const [first = null, ...rest] = values;
  try {
    if (layer === 'l3') return answerL3(policy, device, address, first) ?? 'absent';
    const addresses = keys.slice(1).map((key) => key.address);
    return answerL2(policy, device, address, first, addresses, rest) ?? 'absent';
  } catch (error) {
    report.broken('lookups', error);
    return 'failed';
  }
}

/**
 * Reads records, and again while the directory is away, up to 2 s apart.
 * @param deadline monotonic ms
 * @returns undefined when the directory has not answered by the deadline
 */
export function readUntil(
  keys: RecordKey[],
  deadline: number,
  deps: LookupDeps,
): Observable<Values | undefined> {
  const { directory, counters, now } = deps;
  // `state$` replays the current state first; only a later `up` ends the wait.
  const back$ = directory.state$.pipe(
    skip(1),
    filter((state) => state.up),
    // Without states the delay alone decides when to try again.
    catchError(() => NEVER),
  );
  return defer(() => read(keys, deps)).pipe(
    retry({
      delay: (error: Error, attempt) => {
        counters.lookupFailures++;
        // Any other error than a directory that is away is a fault, and is reported; the read is repeated all the same.
        if (!(error instanceof DirectoryError)) deps.report.broken('lookups', error);
        if (now() >= deadline) throw error;
        return race(timer(Math.min(FIRST_DELAY * 2 ** (attempt - 1), LONGEST_DELAY)), back$);
      },
    }),
    catchError(() => of(undefined)),
  );
}

/** One try, counted and timed. */
function read(keys: RecordKey[], { directory, counters, now }: LookupDeps): Promise<Values> {
  const started = now();
  counters.lookupKeys += keys.length;
  return directory.read(keys).then((values) => {
    counters.lookupSeconds.observe((now() - started) / 1000);
    return values;
  });
}

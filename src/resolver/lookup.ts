import { questionsOf } from '../model/device-questions.ts';
import { NEVER, type Observable, catchError, defer, filter, map, of, race, retry, skip, timer } from 'rxjs';
import { DirectoryError, type RecordKey, type Values } from '../directory/directory.ts';
import { observeWaits } from '../base/histogram.ts';
import type { LookupDeps } from './deps.ts';
import { answerL2, answerL3 } from './select-record.ts';
import type { Answer, Question } from '../model/question.ts';

/** The directory's word on a question: an answer, nobody, or no word at all. */
export interface Answered {
  question: Question;
  result: Answer | 'absent' | 'failed';
}

/** How long a question outlives a directory that does not answer, in ms. The application behind it has given up by then. */
const PATIENCE = 60_000;
/** Between tries, doubling, in ms; the first word from a directory that is back cuts the wait short. */
const FIRST_DELAY = 100;
const LONGEST_DELAY = 2_000;

/** Looks a batch of questions up in one round trip, again and again while the directory is away. Never fails. */
export function lookup(batch: Question[], deps: LookupDeps): Answered[] | Observable<Answered[]> {
  const { now, counters } = deps;
  const started = now();
  const patient = batch.filter((question) => started - question.receivedAt < PATIENCE);
  const late = batch.filter((question) => !patient.includes(question));
  if (patient.length === 0) return failed(late);

  observeWaits(counters.stageSeconds.queue, patient, started);
  const asked = patient.map((question) => keysOf(question));
  for (const [index, question] of patient.entries()) expectChanges(question, asked[index]);
  const conclude = (values: Values | undefined): Answered[] => {
    for (const [index, question] of patient.entries()) expectNoChanges(question, asked[index]);
    if (values === undefined) return failed(batch);
    counters.stageSeconds.lookup.observe((now() - started) / 1000, patient.length);
    let next = 0;
    const answered = patient.map<Answered>((question, index) => {
      const keys = asked[index] ?? [];
      const mine = values.slice(next, (next += keys.length));
      return { question, result: judged(question, keys, mine, deps) };
    });
    return late.length === 0 ? answered : [...answered, ...failed(late)];
  };
  const keys = asked.flat();
  const first = read(keys, deps, true);
  if (!(first instanceof Promise)) return conclude(first);
  const deadline = Math.min(...patient.map(({ receivedAt }) => receivedAt)) + PATIENCE;
  return readPatiently(keys, deadline, deps, first).pipe(map(conclude));
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

/** Of the first key, its own, the device knows by itself who asks: see `inFlight`. */
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

/** A record that cannot even be judged fails its own question alone. */
function judged(
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
 * @param begun the first try
 * @returns undefined when the directory has not answered by `deadline` (monotonic ms)
 */
export function readPatiently(
  keys: RecordKey[],
  deadline: number,
  deps: LookupDeps,
  begun?: Promise<Values>,
): Observable<Values | undefined> {
  const { directory, counters, now } = deps;
  let first = begun;
  // The state in force is replayed first; what counts is the next word that it is up.
  const back$ = directory.state$.pipe(
    skip(1),
    filter((state) => state.up),
    // Then the time alone tells when to try again.
    catchError(() => NEVER),
  );
  return defer(async () => {
    const values = first ?? read(keys, deps);
    first = undefined;
    return values;
  }).pipe(
    retry({
      delay: (error: Error, attempt) => {
        counters.lookupFailures++;
        // A directory that is away is waited for. Anything else is a fault: it is said, and a guest waits all the same.
        if (!(error instanceof DirectoryError)) deps.report.broken('lookups', error);
        if (now() >= deadline) throw error;
        return race(timer(Math.min(FIRST_DELAY * 2 ** (attempt - 1), LONGEST_DELAY)), back$);
      },
    }),
    catchError(() => of(undefined)),
  );
}

/** One try, counted and timed. @param urgent see `Directory.read` */
function read(
  keys: RecordKey[],
  { directory, counters, now }: LookupDeps,
  urgent = false,
): Values | Promise<Values> {
  const started = now();
  const timed = (values: Values): Values => {
    counters.lookupSeconds.observe((now() - started) / 1000);
    return values;
  };
  counters.lookupKeys += keys.length;
  try {
    const values = directory.read(keys, urgent);
    return values instanceof Promise ? values.then(timed) : timed(values);
  } catch (error) {
    return Promise.reject(error instanceof Error ? error : new Error(String(error)));
  }
}

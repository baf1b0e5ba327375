/**
 * The path of a miss, one file a stage:
 *
 *    1. kernel/linux.ts             the kernel's messages → batches of misses, each paired with its asker
 *    2. resolver/admission.ts       misses → questions: joins one in flight, ignores addresses in the negative cache
 *    3. resolver/fair-queue.ts      questions → batches: a lane per asking port, a budget for unknown addresses
 *    4. resolver/lookup.ts          batches → answers: one MGET for all questions of a batch, two MGETs in flight
 *    5. resolver/select-record.ts   record values → an answer: record, else lease; a malformed record counts as absent
 *    6. resolver/find-mac-owner.ts  MACs without a record → `ip:` records that name them, looked up once more
 *    7. entries/install.ts          answers → FDB entry, then neighbour: never for local addresses, never over foreign entries
 *    8. entries/announce.ts         neighbours written → a reply to each asker, whose packet then leaves at once
 *    9. resolver/pipeline.ts        questions → outcomes, counted; connects the stages
 *   10. reconcile/mac-record-checks.ts  outcomes → a check whether a `mac:` record names another VTEP
 *
 * Arrays travel between the stages. An error is a value before it reaches this stream, so the stream never ends.
 */
import { type Observable, Subject, filter, map, merge } from 'rxjs';
import { isLinkLocal } from '../base/address.ts';
import { attempt, inLane } from '../base/guarded-lane.ts';
import { groupBy } from '../base/group-by.ts';
import { observeWaits } from '../base/histogram.ts';
import { type Announcer, type Told, isDad } from '../entries/announce.ts';
import { type InstallDeps, tryInstall } from '../entries/install.ts';
import type { InstallReport } from '../entries/report.ts';
import { UNKNOWN } from '../model/port-quotas.ts';
import type { Answer, MissBatch, Placement, Question, Settled } from '../model/question.ts';
import type { Admission } from './admission.ts';
import { FairQueue } from './fair-queue.ts';
import { MacOwnerSearch } from './find-mac-owner.ts';
import { type Answered, type LookupDeps, answerFromLease, lookup } from './lookup.ts';

/** What answering misses takes. */
export interface PipelineDeps extends LookupDeps, InstallDeps {
  report: InstallReport;
  admission: Admission;
  announcer: Announcer;
}

type Resolved = Settled & Required<Pick<Settled, 'answer'>>;

const QUESTIONS = { size: 256, underWay: 2 };

export function resolveMisses(batches$: Observable<MissBatch>, deps: PipelineDeps): Observable<Settled[]> {
  const again$ = new Subject<Question[]>();
  const search = new MacOwnerSearch(deps);
  const queue = new FairQueue(deps.admission.drop, deps.now);
  const asked$ = new Subject<Question[]>();
  const lookedUp$ = merge(asked$, again$, search.found$()).pipe(
    inLane(
      'misses',
      {
        work: (batch) => lookup(batch, deps),
        conclude: (answered) => {
          const stale: Question[] = [];
          const current: Answered[] = [];
          for (const one of answered) {
            const { question, result } = one;
            question.lane.answered(result === 'absent');
            if (question.changed === true) stale.push(question);
            else current.push(one);
          }
          for (const question of stale) question.changed = false;
          const sought = search.take(current);
          const over = sought.size === 0 ? current : current.filter(({ question }) => !sought.has(question));
          const settled = settle(over, deps);
          if (stale.length > 0) again$.next(stale);
          return settled;
        },
        // Later misses would join a question that stays in flight, and would never be answered.
        instead: (batch) => fail(batch, deps),
      },
      { ...QUESTIONS, waiting: queue },
      deps.report,
    ),
  );
  const fromLeases$ = batches$.pipe(
    map(({ misses, deviceOf }) => {
      const questions = deps.admission.admit(misses, deviceOf);
      const { known, open } = attempt('misses', () => answerFromLease(questions, deps), deps.report) ?? {
        known: [],
        open: questions,
      };
      const settled = known.length > 0 ? settle(known, deps) : [];
      // Behind the answers that need no read.
      if (open.length > 0) asked$.next(open);
      return settled;
    }),
  );
  return merge(lookedUp$, fromLeases$).pipe(filter((settled) => settled.length > 0));
}

/** Stages 7 to 9 for a batch that the directory has answered. */
function settle(answered: readonly Answered[], deps: PipelineDeps): Settled[] {
  const settled: Settled[] = [];
  const placed: Resolved[] = [];
  for (const { question, result } of answered) {
    if (result === 'absent') settled.push({ question, outcome: 'unknown' });
    // `over`: the device is gone, and its questions were counted as failed.
    else if (result === 'failed' || question.over === true) settled.push({ question, outcome: 'failed' });
    else if (isDadOnly(question) && result.source.kind === 'lease')
      settled.push({ question, outcome: 'unknown', remember: false });
    else placed.push({ question, outcome: 'resolved', answer: result });
  }
  for (const together of groupBy(placed, namespaceOf).values()) {
    write(together, deps);
    for (const one of together) settled.push(one);
  }
  for (const one of settled) close(one, deps);
  return settled;
}

/**
 * Whether all askers do duplicate address detection (RFC 4862 §5.4, RFC 5227 §2.1.1). A lease names the host of a prefix,
 * and does not say that the address is in use: with an entry from a lease the VXLAN device would answer the guest's next
 * probe, and the guest would refuse its own address.
 */
const isDadOnly = ({ layer, askers }: Question): boolean =>
  layer === 'l3' && askers.length > 0 && askers.every(isDad);

function fail(questions: readonly Question[], deps: PipelineDeps): Settled[] {
  const settled = questions.map<Settled>((question) => ({ question, outcome: 'failed' }));
  for (const one of settled) close(one, deps);
  return settled;
}

const namespaceOf = ({ question }: Settled) => question.device.namespace;

/** Writes the entries of one namespace and announces them. Changes the outcome of those that could not be written. */
function write(together: Resolved[], deps: PipelineDeps): void {
  const { report, announcer, counters, now } = deps;
  const { write, announce } = counters.stageSeconds;
  const placements = together.map(({ question, answer }) => placementOf(question, answer));
  const started = now();
  const outcomes = tryInstall(placements, deps);
  const written = now();
  write.observe((written - started) / 1000, together.length);
  const resolved: Question[] = [];
  const told: Told[] = [];
  together.forEach((one, index) => {
    const { question, answer } = one;
    one.outcome = outcomes[index] ?? 'failed';
    const { device, layer, address, askers } = question;
    // A guest of this host answers, so other guests learn this MAC.
    if (one.outcome === 'local' && layer === 'l3' && !device.namespace.isAssigned(address))
      device.tables.known.note(address, answer.mac);
    if (one.outcome !== 'resolved') return;
    resolved.push(question);
    if (layer === 'l3') told.push({ device, ip: address, answer, askers });
  });
  observeWaits(counters.resolutionSeconds, resolved, written);
  const sent = attempt('announcements', () => announcer.tell(told), report) ?? 0;
  if (sent > 0) announce.observe((now() - written) / 1000, sent);
}

function placementOf({ device, layer, address, askers }: Question, answer: Answer): Placement {
  const port = askers[0]?.port ?? UNKNOWN;
  return { device, ip: layer === 'l3' ? address : undefined, answer, port };
}

/** Counts the outcome, and remembers it in the negative cache so that the next packet raises no question. */
function close({ question, outcome, remember = true }: Settled, { admission, counters }: PipelineDeps): void {
  const { device, layer, address } = question;
  if (!admission.settle(question)) return;
  if (outcome === 'unknown' && remember) device.absent.add(address);
  if (outcome === 'local') device.local.add(address);
  // Guests solicit link-local addresses all the time; without a record that is noise.
  if (outcome === 'unknown' && isLinkLocal(address)) counters.ignored.link_local++;
  else counters.settled(device, layer, outcome);
}

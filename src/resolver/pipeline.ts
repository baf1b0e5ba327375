/**
 * The path of a miss, top to bottom:
 *
 *   1. the kernel raises the miss      kernel/linux.ts      batches of misses, each paired with its asker
 *   2. admission                       admission.ts         joins a question in flight, drops addresses in the negative cache
 *                                      fair-queue.ts        a lane per asking port, and a budget for unknown addresses
 *                                      answer-from-lease.ts a lease that no record overrides answers at once
 *   3. lookup                          lookup.ts            all waiting questions in one MGET, two MGETs in flight
 *   4. selection of the record         select-record.ts     record, else lease; a malformed record counts as absent
 *                                      find-mac-owner.ts    finds an `ip:` record of a MAC that has no `mac:` record
 *   5. FDB entry, then neighbour       entries/install.ts   never for local addresses, never over foreign entries
 *   6. announcement to the asker       entries/announce.ts  the guest then sends the packet that it holds back
 *   7. outcome                         below                counted; the question is no longer in flight
 *   8. check of the `mac:` record      reconcile/mac-record-checks.ts  the `mac:` record may name another VTEP
 *
 * Arrays travel between the stages. An error is a value before it reaches this stream, so the stream never ends.
 */
import { type Observable, Subject, filter, map, merge } from 'rxjs';
import { isLinkLocal } from '../base/address.ts';
import { attempt, inLane } from '../base/guarded-lane.ts';
import { groupBy } from '../base/group-by.ts';
import { observeWaits } from '../base/histogram.ts';
import { installApart } from '../entries/install-apart.ts';
import type { Told } from '../entries/announce.ts';
import { UNKNOWN } from '../model/port-quotas.ts';
import type { PipelineDeps } from './deps.ts';
import { FairQueue } from './fair-queue.ts';
import { answerFromLease } from './answer-from-lease.ts';
import { type Answered, lookup } from './lookup.ts';
import type { Answer, MissBatch, Placement, Question, Settled } from '../model/question.ts';
import { MacOwnerSearch } from './find-mac-owner.ts';

/** One that the directory has an answer to. */
type Resolved = Settled & Required<Pick<Settled, 'answer'>>;

const QUESTIONS = { size: 256, underWay: 2 };

export function resolveMisses(batches$: Observable<MissBatch>, deps: PipelineDeps): Observable<Settled[]> {
  const again$ = new Subject<Question[]>();
  const search = new MacOwnerSearch(deps);
  const queue = new FairQueue(deps.admission.shed, deps.now);
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
        // Whoever asks for one that stayed in flight would never be answered.
        instead: (batch) => fail(batch, deps),
      },
      { ...QUESTIONS, waiting: queue },
      deps.report,
    ),
  );
  const remembered$ = batches$.pipe(
    map(({ misses, deviceOf }) => {
      const questions = deps.admission.admit(misses, deviceOf);
      const { known, open } = attempt('misses', () => answerFromLease(questions, deps), deps.report) ?? {
        known: [],
        open: questions,
      };
      const settled = known.length > 0 ? settle(known, deps) : [];
      // After that: what is known waits for nobody.
      if (open.length > 0) asked$.next(open);
      return settled;
    }),
  );
  return merge(lookedUp$, remembered$).pipe(filter((settled) => settled.length > 0));
}

/** Stages 5 to 7 for a batch that the directory has answered. */
function settle(answered: readonly Answered[], deps: PipelineDeps): Settled[] {
  const settled: Settled[] = [];
  const placed: Resolved[] = [];
  for (const { question, result } of answered) {
    if (result === 'absent') settled.push({ question, outcome: 'unknown' });
    // A device that went away meanwhile took the question with it, and has nowhere to write to.
    else if (result === 'failed' || question.over === true) settled.push({ question, outcome: 'failed' });
    else if (isProbe(question) && result.source.kind === 'lease')
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
 * Duplicate address detection alone has asked (RFC 4862 §5.4, RFC 5227 §2.1.1). A lease says which host an address would be
 * behind, not that anybody has it: with an entry from it the VXLAN device would answer the next probe, and the guest
 * could not have its own address.
 */
const isProbe = ({ layer, askers }: Question): boolean =>
  layer === 'l3' && askers.length > 0 && askers.every(({ ip }) => ip === '0.0.0.0' || ip === '::');

function fail(questions: readonly Question[], deps: PipelineDeps): Settled[] {
  const settled = questions.map<Settled>((question) => ({ question, outcome: 'failed' }));
  for (const one of settled) close(one, deps);
  return settled;
}

const namespaceOf = ({ question }: Settled) => question.device.namespace;

/** FDB entries, neighbours and announcements of one namespace. Notes what is not resolved after all. */
function write(together: Resolved[], deps: PipelineDeps): void {
  const { report, announcer, counters, now } = deps;
  const { write, announce } = counters.stageSeconds;
  const placements = together.map(({ question, answer }) => placementOf(question, answer));
  const started = now();
  const outcomes = installApart(placements, deps);
  const written = now();
  write.observe((written - started) / 1000, together.length);
  const resolved: Question[] = [];
  const told: Told[] = [];
  together.forEach((one, index) => {
    const { question, answer } = one;
    one.outcome = outcomes[index] ?? 'failed';
    const { device, layer, address, askers } = question;
    // A guest of this host answers by itself.
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

/** The books: what it ended as, and what to remember so that the next packet does not ask again. */
function close({ question, outcome, remember = true }: Settled, { admission, counters }: PipelineDeps): void {
  const { device, layer, address } = question;
  if (!admission.settle(question)) return;
  if (outcome === 'unknown' && remember) device.absent.add(address);
  if (outcome === 'local') device.local.add(address);
  // Guests solicit each other's link-local addresses all the time; it is noise where nobody published one.
  if (outcome === 'unknown' && isLinkLocal(address)) counters.ignored.link_local++;
  else counters.settled(device, layer, outcome);
}

/**
 * Stage 7 of a miss: writes answers to the kernel's tables. Takes placements (an answer with its device and address);
 * gives one outcome each. The order matters:
 *
 * 1. refuse what lives on this host: its own VTEP, its own addresses, MACs its bridge hears on another port
 * 2. note the rows in the journal before they are written, so that a process killed later finds its rows again
 * 3. the FDB entries: without one the first packet to a fresh neighbour is dropped
 * 4. the neighbours, in the same send; where the kernel refuses an FDB entry its neighbours are removed again, because
 *    alone they would be blackholes
 *
 * Entries are created with NLM_F_EXCL. An existing row is read before it is changed: an operator's permanent entry wins,
 * foreign rows stay, and only our own and the kernel's leftovers are replaced.
 */
import type { Outcome } from '../base/outcomes.ts';
import type { Clock } from '../base/clock.ts';
import { groupBy } from '../base/group-by.ts';
import { attempt } from '../base/guarded-lane.ts';
import type { EntryWrite } from '../kernel/kernel.ts';
import type { Placement } from '../model/question.ts';
import { type Claim, claimFdb, decider } from './fdb-claims.ts';
import { refuseLocal } from './local-endpoints.ts';
import type { MacChanges } from './mac-changes.ts';
import type { InstallReport } from './report.ts';
import {
  type Wanted,
  decideWrites,
  resolveFdbConflict,
  resolveNeighbourConflicts,
  removeUnreachable,
} from './conflicts.ts';
import { fdbWrite, neighbourWrite } from './writes.ts';

export type InstallOutcome = Extract<Outcome, 'resolved' | 'local' | 'failed'>;

export interface InstallDeps {
  isOwnVtep: (vtep: string) => boolean;
  report: InstallReport;
  macChanges: MacChanges;
  now: Clock;
}

/**
 * The same as `install`, but never throws: where the kernel does not answer for a batch, each device's part is written
 * alone and fails alone. The second try accepts the rows that the first one wrote.
 * @returns one outcome per placement. All placements must be of one namespace.
 */
export function tryInstall(placements: readonly Placement[], deps: InstallDeps): InstallOutcome[] {
  try {
    return install(placements, deps);
  } catch (error) {
    const byDevice = groupBy([...placements.entries()], ([, { device }]) => device);
    const outcomes = placements.map<InstallOutcome>(() => 'failed');
    if (byDevice.size === 1) deps.report.broken('install', error);
    else
      for (const together of byDevice.values()) {
        const own = together.map(([, placement]) => placement);
        attempt('install', () => install(own, deps), deps.report)?.forEach((outcome, position) => {
          const index = together[position]?.[0];
          if (index !== undefined) outcomes[index] = outcome;
        });
      }
    return outcomes;
  }
}

/**
 * @returns one outcome per placement. All placements must be of one namespace.
 * @throws KernelError where the kernel does not answer at all
 */
export function install(
  placements: readonly Placement[],
  { isOwnVtep, report, macChanges, now }: InstallDeps,
): InstallOutcome[] {
  const outcomes = placements.map<InstallOutcome>(() => 'resolved');
  const standing = (index: number): boolean => outcomes[index] === 'resolved';
  refuseLocal(placements, isOwnVtep, report, (index) => {
    outcomes[index] = 'local';
  });
  const at = now();
  const claims = claimFdb(placements, standing, report, at);
  const wanted = wantedNeighbours(placements, standing);
  // A routed miss comes from an existing row (INCOMPLETE) of the kernel; a bridged miss means that there is no row.
  const routed = wanted.filter(({ device }) => device.bridge === 0);
  decideWrites(routed, report);

  intend(claims);
  send(claims, wanted);
  for (const claim of claims)
    if (!concludeFdb(claim, report)) for (const index of claim.indexes) outcomes[index] = 'failed';
  removeUnreachable(
    wanted.filter(({ index }) => !standing(index)),
    report,
  );
  const kept = wanted.filter(({ index }) => standing(index));
  resolveNeighbourConflicts(kept, report);
  for (const one of kept) if (!concludeNeighbour(one, report, macChanges, at)) outcomes[one.index] = 'failed';
  // After the neighbours that need them: an FDB entry without users would count as an entry of its own.
  for (const claim of claims) if (claim.failure === undefined) holdFdb(claim, at);
  return outcomes;
}

function wantedNeighbours(placements: readonly Placement[], standing: (index: number) => boolean): Wanted[] {
  const wanted: Wanted[] = [];
  placements.forEach(({ device, ip, answer, port }, index) => {
    if (ip === undefined || !standing(index)) return;
    const write = neighbourWrite(device, ip, answer.mac);
    wanted.push({ index, device, ip, answer, port, write, failure: undefined });
  });
  return wanted;
}

/** Writes one batch of journal lines per device; a batch mostly has one device. */
function intend(claims: readonly Claim[]): void {
  for (let start = 0; start < claims.length;) {
    const device = claims[start]?.device;
    let end = start + 1;
    while (end < claims.length && claims[end]?.device === device) end++;
    device?.journal.intend(claims.slice(start, end).map(({ answer }) => answer));
    start = end;
  }
}

/** Sends all writes at once and notes each refusal. */
function send(claims: Claim[], wanted: Wanted[]): void {
  const kernel = (claims[0] ?? wanted[0])?.device.namespace.kernel;
  const writes: EntryWrite[] = [];
  for (const { device, answer } of claims) writes.push(fdbWrite(device, answer));
  const sent: Wanted[] = [];
  for (const one of wanted) {
    if (one.write === undefined) continue;
    writes.push(one.write);
    sent.push(one);
  }
  if (kernel === undefined || writes.length === 0) return;
  for (const { index, error } of kernel.write(writes)) {
    const refused = claims[index] ?? sent[index - claims.length];
    if (refused !== undefined) refused.failure = error;
  }
}

/** Whether the neighbours behind the entry may stay. Sets `failure` where the entry is not to be held. */
function concludeFdb(claim: Claim, report: InstallReport): boolean {
  const { device, answer, failure } = claim;
  if (failure === undefined || failure === 'foreign') return true;
  claim.failure = resolveFdbConflict(device, answer, failure, report);
  if (claim.failure === 'foreign') {
    // The foreign row may go again; the audit then restores the held entry.
    if (device.tables.fdb.has(answer.mac)) claim.failure = undefined;
    return true;
  }
  if (claim.failure !== undefined) report.failed(device, 'fdb', claim.failure);
  return claim.failure === undefined;
}

function holdFdb({ device, answer, port }: Claim, now: number): void {
  const { mac, vtep, router } = answer;
  device.tables.setFdb({ mac, vtep, router, source: decider(answer), checkedAt: now, usedAt: now }, port);
}

function concludeNeighbour(
  wanted: Wanted,
  report: InstallReport,
  macChanges: MacChanges,
  now: number,
): boolean {
  const { device, ip, answer, port, failure } = wanted;
  const { mac, source } = answer;
  const before = device.tables.knownMac(ip);
  if (failure === undefined || (failure === 'foreign' && device.tables.neighbours.has(ip)))
    device.tables.setNeighbour({ ip, mac, source, checkedAt: now, usedAt: now }, port);
  if (failure === undefined) {
    device.tables.staleProbes.delete(ip);
    if (before !== undefined && before !== mac) macChanges.note(device, ip, answer, before);
    return true;
  }
  if (failure !== 'foreign') report.failed(device, 'neighbour', failure);
  return false;
}

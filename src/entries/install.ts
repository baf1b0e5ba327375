/**
 * Stage 7 of a miss: answers into the kernel's tables. Takes placements (an answer with its device and address); gives one
 * outcome each. In this order, because each step protects from the last one's absence:
 *
 * 1. refuse what lives on this host: its own VTEP, its own addresses, MACs its bridge hears on another port
 * 2. note in the journal what is about to be written: a process that is killed after that finds its rows again
 * 3. the FDB entries: without one the first packet to a fresh neighbour is dropped
 * 4. the neighbours, behind them in one send; where an FDB entry is refused its neighbours are taken back, since alone
 *    they would be blackholes
 *
 * Entries are created with EXCL. Where a row stands already it is looked at before it is touched: an operator's
 * permanent entry wins, foreign ones stay, and only our own and the kernel's leftovers are replaced.
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
import { type Wanted, look, settleFdb, settleNeighbours, takeBack } from './conflicts.ts';
import { fdbWrite, neighbourWrite } from './writes.ts';

export type InstallOutcome = Extract<Outcome, 'resolved' | 'local' | 'failed'>;

export interface InstallDeps {
  isOwnVtep: (vtep: string) => boolean;
  report: InstallReport;
  macChanges: MacChanges;
  now: Clock;
}

/**
 * The same as `install`, but never throws: where the kernel does not answer for a batch, the part of each device is written
 * on its own and fails on its own. The second try finds standing what the first has written.
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
  // A routed miss comes from the kernel's own row, which asks and waits; a bridged one means that there is none.
  const routed = wanted.filter(({ device }) => device.bridge === 0);
  look(routed, report);

  intend(claims);
  send(claims, wanted);
  for (const claim of claims)
    if (!concludeFdb(claim, report)) for (const index of claim.indexes) outcomes[index] = 'failed';
  takeBack(
    wanted.filter(({ index }) => !standing(index)),
    report,
  );
  const kept = wanted.filter(({ index }) => standing(index));
  settleNeighbours(kept, report);
  for (const one of kept) if (!concludeNeighbour(one, report, macChanges, at)) outcomes[one.index] = 'failed';
  // After the neighbours that need them: they are no entries of their own, not even for a moment.
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

/** In one write for each device, of which there is mostly one. */
function intend(claims: readonly Claim[]): void {
  for (let start = 0; start < claims.length;) {
    const device = claims[start]?.device;
    let end = start + 1;
    while (end < claims.length && claims[end]?.device === device) end++;
    device?.journal.intend(claims.slice(start, end).map(({ answer }) => answer));
    start = end;
  }
}

/** Notes the refusals. */
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

/** Whether the neighbours behind it may stand. Leaves a failure where the entry is not to be held. */
function concludeFdb(claim: Claim, report: InstallReport): boolean {
  const { device, answer, failure } = claim;
  if (failure === undefined || failure === 'foreign') return true;
  claim.failure = settleFdb(device, answer, failure, report);
  if (claim.failure === 'foreign') {
    // What stands over an entry of ours may go again, and the audit then restores what the record says by now.
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
    device.tables.probation.delete(ip);
    if (before !== undefined && before !== mac) macChanges.note(device, ip, answer, before);
    return true;
  }
  if (failure !== 'foreign') report.failed(device, 'neighbour', failure);
  return false;
}

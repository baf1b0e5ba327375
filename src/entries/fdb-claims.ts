/** The FDB entries that a batch of answers needs, and which answer decides where answers disagree about a MAC. */
import ipaddr from 'ipaddr.js';
import type { Answer, Placement } from '../model/question.ts';
import type { ServedDevice } from '../model/device.ts';
import type { HeldFdbEntry, Source } from '../model/desired-tables.ts';
import type { InstallReport } from './report.ts';
import type { Failure } from './conflicts.ts';

/** One FDB entry to write, and the placements that need it: many addresses may share a MAC (leases, routers). */
export interface Claim {
  device: ServedDevice;
  answer: Answer;
  /** ifindex of the asking port of the first placement. */
  port: number | undefined;
  indexes: number[];
  /** The kernel's refusal, until conflicts.ts has resolved it. */
  failure: Failure | undefined;
}

/** The entries to write for the placements that are not refused; an entry already held is only marked as checked. */
export function claimFdb(
  placements: readonly Placement[],
  standing: (index: number) => boolean,
  report: InstallReport,
  now: number,
): Claim[] {
  const claims: Claim[] = [];
  const byMac = new Map<string, Claim[]>();
  placements.forEach(({ device, ip, answer, port }, index) => {
    if (!standing(index)) return;
    // An L2 miss means that the kernel has no such entry, even if missd holds one; an L3 miss says nothing about the FDB.
    const held = ip === undefined ? undefined : device.tables.fdb.get(answer.mac);
    if (held !== undefined && isSettled(device, held, answer, report, now)) return;
    const ofMac = byMac.get(answer.mac);
    const claim = ofMac?.find((one) => one.device === device);
    if (claim !== undefined) {
      claim.indexes.push(index);
      join(claim, answer, report);
      return;
    }
    const first: Claim = { device, answer, port, indexes: [index], failure: undefined };
    claims.push(first);
    if (ofMac === undefined) byMac.set(answer.mac, [first]);
    else ofMac.push(first);
  });
  return claims;
}

/** Whether the held entry stays: it matches the answer, or the answer may not override it. */
function isSettled(
  device: ServedDevice,
  held: HeldFdbEntry,
  answer: Answer,
  report: InstallReport,
  now: number,
): boolean {
  const decides = overrides(answer, held, device);
  if (held.vtep === answer.vtep && (held.router || !answer.router)) {
    device.tables.checkFdb(held, decides ? decider(answer) : held.source, now);
    return true;
  }
  if (decides || held.vtep === answer.vtep) return false;
  report.conflict(device, 'vtep_disputed', disputed(answer, held.vtep));
  return true;
}

function join(claim: Claim, answer: Answer, report: InstallReport): void {
  if (claim.answer.vtep !== answer.vtep) {
    const [winner, loser] = wins(answer, claim.answer, claim.device)
      ? [answer, claim.answer]
      : [claim.answer, answer];
    report.conflict(claim.device, 'vtep_disputed', disputed(loser, winner.vtep));
    claim.answer = winner;
  }
  // One address of a router makes the MAC a router's.
  if (answer.router && !claim.answer.router) claim.answer = { ...claim.answer, router: true };
}

export const decider = (answer: Answer): Source => answer.vtepSource ?? answer.source;

const disputed = (answer: Answer, vtep: string): string =>
  `${answer.mac} is behind ${vtep} and, by the ${decider(answer).kind}: record of ${decider(answer).name}, behind ${answer.vtep}`;

/**
 * Whether an answer may change the VTEP of a held entry. A `mac:` record overrides everything; any other record overrides
 * only itself. At start, when the held entry came from the kernel, the lowest VTEP wins, so that all hosts agree.
 */
function overrides(answer: Answer, held: HeldFdbEntry, device: ServedDevice): boolean {
  const { vtep } = answer;
  const source = decider(answer);
  if (source.kind === 'mac' || held.source.kind === 'adopted') return true;
  if (held.source.kind === source.kind && held.source.name === source.name) return true;
  return (
    !device.verified && held.source.kind === 'ip' && source.kind === 'ip' && compareIps(vtep, held.vtep) < 0
  );
}

/** The same rule between two answers of one batch, neither of which is held yet. */
function wins(answer: Answer, other: Answer, device: ServedDevice): boolean {
  const [kind, before] = [decider(answer).kind, decider(other).kind];
  if (kind === 'mac' || before === 'mac') return before !== 'mac';
  return !device.verified && kind === 'ip' && before === 'ip' && compareIps(answer.vtep, other.vtep) < 0;
}

/** Compares by number, not by text: 10.0.0.9 is lower than 10.0.0.10. */
function compareIps(one: string, other: string): number {
  const [a, b] = [ipaddr.parse(one).toByteArray(), ipaddr.parse(other).toByteArray()];
  const differing = a.findIndex((byte, index) => byte !== b[index]);
  return differing < 0 ? 0 : (a[differing] ?? 0) - (b[differing] ?? 0);
}

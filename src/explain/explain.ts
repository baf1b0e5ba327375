/** Judges the facts: the findings of each stage in the order of a packet's path, and one verdict. */
import { type CommandLine, blank, sh } from '../screen/shell.ts';
import type { Vni } from '../base/vocabulary.ts';
import type { Facts, OwnerFacts } from './facts.ts';
import { CAUSES, type Cause, type CauseName, type Finding } from './finding.ts';
import { bridge } from './stages/bridge.ts';
import { daemon } from './stages/daemon.ts';
import { device } from './stages/device.ts';
import { forwarding } from './stages/forwarding.ts';
import { guest } from './stages/guest.ts';
import { history } from './stages/history.ts';
import { neighbour } from './stages/neighbour.ts';
import { owner } from './stages/owner.ts';
import { records } from './stages/records.ts';
import { underlay } from './stages/underlay.ts';
import {
  explainAgain,
  givenDirectory,
  givenListen,
  isAssignedHere,
  isLocal,
  isProven,
  isServed,
  netnsWords,
} from './view.ts';

export interface Verdict {
  works: boolean;
  /** Absent if nothing is wrong. */
  cause?: CauseName;
  /** One line. */
  says: string;
  /** The command to type next; absent if there is nothing to do. */
  next?: CommandLine;
}

export interface Explanation {
  vni: Vni;
  address: string;
  device: string;
  /** Path of the device's namespace; null for the namespace of this command. */
  namespace: string | null;
  findings: Finding[];
  /** Who published the records, as read from the directory. */
  owner?: OwnerFacts;
  verdict: Verdict;
}

const STAGES = [records, owner, daemon, device, neighbour, forwarding, bridge, underlay, guest, history];

export function explain(facts: Facts): Explanation {
  const findings = STAGES.flatMap((stage) => stage(facts));
  const {
    vni,
    address,
    device: { link, path },
    directory,
  } = facts;
  return {
    ...{ vni, address, device: link.name, namespace: path, findings },
    ...(directory.owner !== undefined && { owner: directory.owner }),
    verdict: verdict(facts, findings),
  };
}

function verdict(facts: Facts, findings: readonly Finding[]): Verdict {
  const proven = isProven(facts);
  const bad = findings.filter(({ level }) => level === 'bad');
  // An answer to a guest outweighs every finding but two: lost full-size packets, and an address with two owners.
  const lasting = new Set<CauseName | undefined>(facts.guest?.full?.outcome === 'answered' ? [] : ['mtu']);
  lasting.add('two_owners');
  const broken = first(bad.filter(({ cause }) => !proven || lasting.has(cause?.name)));
  if (broken !== undefined) return { works: false, cause: broken.name, says: broken.says, next: broken.next };
  const reserve = first(bad) ?? first(findings.filter(({ level }) => level === 'warn'));
  const says = worksAs(facts, proven);
  const warned = findings.find(({ level }) => level === 'warn');
  if (reserve !== undefined)
    return { works: true, cause: reserve.name, says: `${says}; but ${reserve.says}`, next: reserve.next };
  if (warned !== undefined)
    return {
      works: true,
      cause: 'caution',
      says: `${says}; but ${warned.stage}: ${warned.text}`,
      next: sh`missd doctor ${[...netnsWords(facts), ...givenDirectory(facts), ...givenListen(facts)]}`,
    };
  return { works: true, says, ...proof(facts, proven) };
}

/** The cause that decides the verdict. */
function first(findings: readonly Finding[]): Cause | undefined {
  const causes = findings.flatMap(({ cause }) => cause ?? []);
  const rank = ({ name }: Cause): number => CAUSES.indexOf(name);
  return causes.reduce<Cause | undefined>(
    (best, one) => (best === undefined || rank(one) < rank(best) ? one : best),
    undefined,
  );
}

function worksAs(facts: Facts, proven: boolean): string {
  const {
    address,
    neighbour: row,
    fdb,
    expected,
    underlay: outside,
    device: { defaultRemote },
  } = facts;
  if (proven) return `works: the guest has an answer from ${address}`;
  if (isAssignedHere(facts)) return `${address} is this host’s own (${facts.device.assignedTo.join(', ')})`;
  if (isLocal(facts)) return `${address} is on this host; its frames need no tunnel`;
  const sure = outside?.full?.outcome === 'answered' ? ', and full-size packets reach that host' : '';
  if (fdb?.vtep !== undefined && (row !== undefined || facts.ip === undefined))
    return `works as far as the host goes: ${fdb.lladdr} is behind ${fdb.vtep}${sure}`;
  if (expected !== undefined && isServed(facts))
    return `not asked yet: the first packet raises a miss, and missd answers ${expected.mac} behind ${expected.vtep}${sure}`;
  if (defaultRemote !== undefined) return `no fault was found: frames to unknown MACs go to ${defaultRemote}`;
  return 'no fault was found, and no proof that it works';
}

/** Only a ping from a guest's namespace proves that the address can be reached. */
const proof = (facts: Facts, proven: boolean): { next?: CommandLine } =>
  proven || facts.ip === undefined ? {} : { next: explainAgain(facts, '--from', blank('GUEST-NETNS')) };

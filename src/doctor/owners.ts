/** Addresses with two owners: this host has the address and a record names another host, or two records disagree. */
import { compareAddresses } from '../directory/redis/endpoints.ts';
import { NUD_PERMANENT } from '../kernel/netlink.ts';
import { guestPorts } from '../links/ports.ts';
import type { Ip, Mac } from '../base/vocabulary.ts';
import { type CommandLine, remarked, sh, typed } from '../screen/shell.ts';
import { type Finding, of } from './finding.ts';
import type { Judged } from './records.ts';
import type { Subject } from './scene.ts';

const say = of('owners');

/** Findings of one check in the output; further ones are counted. */
const MOST = 4;

/** MACs and addresses of this host, for one device. */
export interface Local {
  subject: Subject;
  /** MACs heard on guest ports, with the port. */
  macs: ReadonlyMap<Mac, string>;
  /** The host's own neighbours on the bridge. */
  neighbours: ReadonlyMap<Ip, Mac>;
  /** Addresses of the namespace's interfaces, with the names of the interfaces. */
  assigned: ReadonlyMap<Ip, string>;
}

export async function readLocal(subject: Subject): Promise<Local> {
  const { place, bridge } = subject;
  const { kernel, links } = place;
  const assigned = new Map(
    place.addresses.map(({ ip, ifindex }) => [ip, links.get(ifindex)?.name ?? String(ifindex)]),
  );
  if (bridge === undefined) return { subject, macs: new Map(), neighbours: new Map(), assigned };
  const ports = new Set(guestPorts(links.values(), bridge.ifindex));
  const [rows, known] = await Promise.all([
    kernel.bridgeFdb(bridge.ifindex),
    kernel.neighbours(bridge.ifindex),
  ]);
  return {
    subject,
    assigned,
    // The MAC of the port itself is a permanent row.
    macs: new Map(
      rows
        .filter(({ ifindex, state }) => ports.has(ifindex) && (state & NUD_PERMANENT) === 0)
        .map(({ lladdr, ifindex }) => [lladdr, links.get(ifindex)?.name ?? String(ifindex)]),
    ),
    neighbours: new Map(known.flatMap(({ ip, lladdr }) => (lladdr === undefined ? [] : [[ip, lladdr]]))),
  };
}

/** @param own VTEPs of this host */
export function judgeOwners(local: Local, records: Judged | undefined, own: ReadonlySet<Ip>): Finding[] {
  if (records === undefined) return [];
  const { subject, macs, neighbours, assigned } = local;
  const { name, place, bridge } = subject;
  const { vni } = records;
  const findings: Finding[] = [];
  const look = typed(place.path, sh`bridge fdb show br ${bridge?.name ?? 'br0'}`);
  const unrecorded: Mac[] = [];
  const users = usersOf(records);
  for (const [mac, port] of macs) {
    const ips = users.get(mac) ?? [];
    const said = records.macs.get(mac);
    const other = (said === undefined ? ips.map(({ vtep }) => vtep) : [said]).find((vtep) => !own.has(vtep));
    if (other !== undefined)
      findings.push(
        say.broken(
          'mac',
          `${mac} is heard on port ${port} of this host, and the directory has it behind ${other} (VNI ${vni})`,
          'Two guests have the same MAC, or a guest moved here and its record was not updated: other hosts send its packets to the other VTEP.',
          list(records),
          look,
        ),
      );
    else if (ips.length === 0 && !records.macs.has(mac) && !isLeased(mac, records)) unrecorded.push(mac);
  }
  for (const [ip, mac] of neighbours) {
    const record = records.ips.get(ip);
    if (record === undefined || !macs.has(mac) || record.mac === mac) continue;
    findings.push(
      say.broken(
        'ip',
        `${ip} is ${mac} on port ${macs.get(mac) ?? ''} of this host, and the directory has it as ${record.mac} behind ${record.vtep} (VNI ${vni})`,
        'Two guests have the same address, and a guest that asks reaches the one that answers first.',
        list(records),
        typed(place.path, sh`ip neigh show ${ip} dev ${bridge?.name ?? 'br0'}`),
      ),
    );
  }
  for (const [ip, device] of assigned) {
    const record = records.ips.get(ip);
    if (record === undefined || own.has(record.vtep)) continue;
    findings.push(
      say.broken(
        'assigned',
        `${ip} is an address of ${device} here, and the directory has it behind ${record.vtep} (VNI ${vni})`,
        'missd never writes an entry for an address of this host, so this host cannot reach the guest on the other host.',
        typed(place.path, sh`ip address show to ${ip}`),
      ),
    );
  }
  const [example] = unrecorded;
  if (example !== undefined)
    findings.push(
      say.note(
        'unrecorded',
        `${unrecorded.length} guest MAC${unrecorded.length === 1 ? '' : 's'} heard on ${bridge?.name ?? name} ${unrecorded.length === 1 ? 'has' : 'have'} no record in VNI ${vni}, such as ${example}`,
        'Guests of other hosts cannot reach them.',
        set(records, 'IP', example, [...own].find((ip) => ip === subject.link.vxlan.local) ?? 'VTEP'),
      ),
    );
  return folded(findings);
}

/** Records that contradict each other; needs no device. */
export function judgeContradictions(records: Judged): Finding[] {
  const { vni, macs } = records;
  const findings: Finding[] = [];
  for (const [mac, users] of usersOf(records)) {
    const said = macs.get(mac);
    const vteps = new Set(users.map(({ vtep }) => vtep).sort());
    const [user] = users;
    if (said === undefined && vteps.size > 1)
      findings.push(
        say.warning(
          'vteps',
          `${mac} is behind ${[...vteps].slice(0, 4).join(' and ')}, by the records of ${users
            .slice(0, 4)
            .map(({ ip }) => ip)
            .join(' and ')} (VNI ${vni})`,
          'A MAC can be behind one VTEP only. The VTEP in force stays until its record changes; at start the lowest wins.',
          list(records),
        ),
      );
    const against = said === undefined ? undefined : users.find(({ vtep }) => vtep !== said);
    if (against !== undefined && user !== undefined)
      findings.push(
        say.warning(
          'mac-ip',
          `${mac} is behind ${said ?? ''} by its mac: record, and behind ${against.vtep} by that of ${against.ip} (VNI ${vni})`,
          'The mac: record wins. One of the two was not written when the guest moved.',
          remarked(set(records, against.ip, mac, said ?? ''), `or ${against.vtep}`),
        ),
      );
  }
  return folded(findings);
}

/** The command that shows the records. */
const list = ({ vni, source: { file, given } }: Judged): CommandLine =>
  file === undefined ? sh`missd endpoint ls ${vni} ${given ?? []}` : sh`cat ${file}`;

/** The command that corrects a record. */
const set = ({ vni, source: { file, given } }: Judged, ip: Ip, mac: Mac, vtep: Ip): CommandLine =>
  file === undefined
    ? sh`missd endpoint set ${vni} ${ip} ${mac} ${vtep} ${given ?? []}`
    : remarked(sh`vi ${file}`, sh`VNI ${vni}: ${ip} is ${mac} behind ${vtep}`);

const isLeased = (mac: Mac, { leases }: Judged): boolean =>
  [...leases.values()].some((lease) => lease.mac === mac);

function usersOf({ ips }: Judged): Map<Mac, { ip: Ip; vtep: Ip }[]> {
  const users = new Map<Mac, { ip: Ip; vtep: Ip }[]>();
  for (const [ip, { mac, vtep }] of ips) {
    const of = users.get(mac);
    if (of === undefined) users.set(mac, [{ ip, vtep }]);
    else of.push({ ip, vtep });
  }
  // SCAN returns keys in no order.
  for (const of of users.values()) of.sort((a, b) => compareAddresses(a.ip, b.ip));
  return users;
}

/** Limits the findings of each check, because one mistake of a writer can affect a thousand records. */
function folded(findings: readonly Finding[]): Finding[] {
  const kept: Finding[] = [];
  const counts = new Map<string, number>();
  for (const one of findings) {
    const count = (counts.get(one.check) ?? 0) + 1;
    counts.set(one.check, count);
    if (count <= MOST) kept.push(one);
  }
  for (const [check, count] of counts) {
    const last = kept.filter((one) => one.check === check).at(-1);
    if (last !== undefined && count > MOST) last.what += `; and ${count - MOST} more like this`;
  }
  return kept;
}

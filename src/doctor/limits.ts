/** Kernel limits at which misses are lost. */
import { ROOM } from '../links/full-tables.ts';
import type { NeighbourTable } from '../kernel/kernel.ts';
import { type CommandLine, sh, typed } from '../screen/shell.ts';
import { type Finding, of } from './finding.ts';

const say = of('limits');

export interface LimitFacts {
  /** Receive buffer of the miss socket, as granted and as requested, bytes. */
  receiveBuffer?: { bytes: number; forced: boolean; wanted: number };
  /** Whether this process may exceed rmem_max (SO_RCVBUFFORCE), as the daemon does. */
  privileged: boolean;
  /** The neighbour tables, one of each family for the whole machine. */
  tables: readonly { family: 4 | 6; table: NeighbourTable }[];
  /** Whether the host routes through a VXLAN device: addresses in resolution then take places in the table. */
  routed: boolean;
  /** The namespace with the machine's own sysctls, which no other namespace has; null for the namespace of this process. */
  root?: string | null;
  /** `net.bridge.bridge-nf-call-iptables`, by namespace; undefined without br_netfilter. */
  bridgeFilter: readonly { where: string; value: number; fix: CommandLine }[];
}

export function judgeLimits({
  receiveBuffer,
  privileged,
  tables,
  routed,
  bridgeFilter,
  root = null,
}: LimitFacts): Finding[] {
  const findings: Finding[] = [];
  if (receiveBuffer !== undefined) {
    const { bytes, forced, wanted } = receiveBuffer;
    const size = `${megabytes(bytes)} of ${megabytes(wanted)}`;
    if (forced || bytes >= wanted) findings.push(say.ok('receive-buffer', `receive buffer ${size}`));
    else if (!privileged)
      findings.push(
        say.note(
          'receive-buffer',
          `the daemon's receive buffer could not be determined; without CAP_NET_ADMIN it is ${size}`,
        ),
      );
    else
      findings.push(
        say.warning(
          'receive-buffer',
          `The receive buffer is ${size}`,
          'In a burst the kernel drops misses that do not fit. SO_RCVBUFFORCE was refused, so net.core.rmem_max caps it.',
          typed(root, sh`sysctl -w net.core.rmem_max=${wanted}`),
        ),
      );
  }
  for (const { family, table } of tables) findings.push(judgeTable(family, table, routed, root));
  for (const { where, value, fix } of bridgeFilter)
    if (value !== 0)
      findings.push(
        say.note(
          'bridge-netfilter',
          `bridge-nf-call-iptables is 1 in ${where}`,
          'Frames between guests on a bridge pass the iptables rules of the host. A FORWARD policy of DROP, which Docker sets, drops them.',
          fix,
        ),
      );
  return findings;
}

function judgeTable(
  family: 4 | 6,
  { thresholds, fulls, entries }: NeighbourTable,
  routed: boolean,
  root: string | null,
): Finding {
  const [, , limit] = thresholds;
  const sysctl = `net.ipv${family}.neigh.default.gc_thresh`;
  const check = `gc_thresh-ipv${family}`;
  const what = `${sysctl}3 is ${limit}`;
  const fix = typed(root, sh`sysctl -w ${[1, 2, 3].map((n) => `${sysctl}${n}=${ROOM[n - 1] ?? 0}`)}`);
  const been = fulls === 0 ? '' : `; full ${fulls} times since the machine started`;
  if (limit >= ROOM[0]) return say.ok(check, `${what}, ${entries} neighbours${been}`);
  if (routed)
    return say.warning(
      check,
      `${what}${been}`,
      'When the host routes through the VXLAN device, every address in resolution takes a place in this table, which all namespaces of the machine share. When it is full the kernel drops packets without a miss ("neighbour: arp_cache: neighbor table overflow!"). Entries of missd do not count.',
      fix,
    );
  return fulls === 0
    ? say.ok(check, `${what}, ${entries} neighbours`)
    : say.note(
        check,
        `${what}${been}`,
        'The table is one for all namespaces of the machine: guests in containers that know many neighbours share it. Entries of missd do not count.',
        fix,
      );
}

const megabytes = (bytes: number): string =>
  bytes >= 1 << 20 ? `${Math.round(bytes / (1 << 20))} MiB` : `${Math.round(bytes / 1024)} KiB`;

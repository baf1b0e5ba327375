/** Capabilities of this process and of the daemon. */
import { readFileSync } from 'node:fs';
import { remarked, sh } from '../screen/shell.ts';
import { type Finding, of } from './finding.ts';

const say = of('privileges');

/** include/uapi/linux/capability.h */
const BITS = { CAP_NET_ADMIN: 12, CAP_NET_RAW: 13, CAP_SYS_ADMIN: 21 } as const;
type Capability = keyof typeof BITS;

export interface Privileges {
  capabilities: ReadonlySet<Capability>;
  /** In a user namespace other than the initial one, as in an unprivileged container. */
  confined: boolean;
}

/** @throws Error if /proc does not show the process */
export function readPrivileges(pid: number | 'self'): Privileges {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const bits = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
  const map = readFileSync(`/proc/${pid}/uid_map`, 'utf8').trim().split(/\s+/);
  return {
    capabilities: new Set(
      (Object.keys(BITS) as Capability[]).filter((name) => (bits >> BigInt(BITS[name])) & 1n),
    ),
    confined: map.join(' ') !== '0 0 4294967295',
  };
}

/** The consequence of a missing capability. */
const NEEDS: Record<Capability, { level: 'warning' | 'broken'; why: string }> = {
  CAP_NET_ADMIN: { level: 'broken', why: 'Without it no entry can be written.' },
  CAP_NET_RAW: {
    level: 'warning',
    why: 'Without it missd cannot announce answers, and guests wait a second for their own retry.',
  },
  CAP_SYS_ADMIN: { level: 'broken', why: 'Without it no other namespace (--netns) can be entered.' },
};

export interface PrivilegeFacts {
  /** Of doctor itself. */
  self: Privileges;
  /** Of the daemon, if one runs on this host. */
  daemon?: Privileges & { pid: number };
  /** Whether `--netns` names other namespaces. */
  entersNamespaces: boolean;
}

export function judgePrivileges({ self, daemon, entersNamespaces }: PrivilegeFacts): Finding[] {
  const needed = (Object.keys(BITS) as Capability[]).filter(
    (name) => name !== 'CAP_SYS_ADMIN' || entersNamespaces,
  );
  const findings: Finding[] = [];
  const { capabilities, confined } = daemon ?? self;
  const who = daemon === undefined ? 'this process' : `the daemon (pid ${daemon.pid})`;
  const lacking = needed.filter((name) => !capabilities.has(name));
  if (daemon === undefined && lacking.includes('CAP_NET_ADMIN')) {
    // A warning only: an operator may run doctor without privileges before root starts the daemon.
    findings.push(
      say.warning(
        'capabilities',
        `${lacking.join(', ')}: not held, so many of the following checks could not run`,
        'missd run needs these capabilities, and doctor needs them for all checks.',
        sh`sudo missd doctor`,
      ),
    );
  } else
    for (const name of lacking) {
      const { level, why } = NEEDS[name];
      findings.push(
        say[level](
          name.toLowerCase(),
          `${who} lacks ${name}`,
          why,
          remarked(sh`systemctl edit missd`, `[Service] AmbientCapabilities=${needed.join(' ')}`),
        ),
      );
    }
  if (confined)
    findings.push(
      say.note(
        'user-namespace',
        `${who} is in a user namespace`,
        'The kernel refuses SO_RCVBUFFORCE in a user namespace, so net.core.rmem_max limits the receive buffer.',
      ),
    );
  if (lacking.length === 0) findings.push(say.ok('capabilities', needed.join(', ')));
  return findings;
}

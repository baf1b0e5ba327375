/** The systemd unit, with the rights that the daemon needs and no others. A test checks it with `systemd-analyze`. */

/** The parts of a unit that differ between hosts. */
export interface UnitOptions {
  /** The program and its arguments. */
  command: readonly string[];
  /** Whether the daemon enters other namespaces, which needs CAP_SYS_ADMIN. */
  entersNamespaces: boolean;
  /** Whether the daemon turns forwarding on for joined networks, in /proc/sys/net. */
  setsForwarding?: boolean;
  /** Directories that the daemon writes to. */
  writes?: readonly string[];
  /** Files that only root may read, by the name of the credential. */
  credentials: ReadonlyMap<string, string>;
  /** Supplementary groups, for the socket of Redis. */
  groups: readonly string[];
}

/** Marks a unit that missd wrote. */
export const SIGNATURE = '# Written by `missd service install`';

/** The directory that takes precedence over all others (systemd.unit(5), UNIT FILE LOAD PATH). */
export const UNIT_FILE = '/etc/systemd/system/missd.service';

/** The path of a credential inside the service (systemd.exec(5), CREDENTIALS). */
export const credentialPath = (name: string): string => `%d/${name}`;

export function renderUnit(options: UnitOptions): string {
  const { command, entersNamespaces, setsForwarding = false, writes = [], credentials, groups } = options;
  const capabilities = `CAP_NET_ADMIN CAP_NET_RAW${entersNamespaces ? ' CAP_SYS_ADMIN' : ''}`;
  return `${SIGNATURE}, which overwrites it: put your own changes into \`systemctl edit missd\`.
[Unit]
Description=missd, answers VXLAN misses from a directory
After=network.target
# Without missd no new pair of guests can talk, so systemd restarts it without a limit.
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart=${command.map(quoted).join(' ')}
ExecReload=/bin/kill -HUP $MAINPID
SyslogIdentifier=missd
Restart=always
RestartSec=3
# Exit code 2 means invalid usage or configuration, which a restart does not fix.
RestartPreventExitStatus=2
WatchdogSec=30
# missd removes its nftables tables before it stops. Its entries stay, so traffic goes on.
KillMode=mixed
TimeoutStopSec=20
OOMScoreAdjust=-500
LimitNOFILE=65536
${identity(entersNamespaces)}
${lines('SupplementaryGroups', groups)}${lines(
    'LoadCredential',
    [...credentials].map(([name, path]) => `${name}:${path}`),
  )}CapabilityBoundingSet=${capabilities}
AmbientCapabilities=${capabilities}
NoNewPrivileges=yes
RestrictAddressFamilies=AF_NETLINK AF_PACKET AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=${entersNamespaces ? 'net' : 'yes'}
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
# No MemoryDenyWriteExecute: JavaScript is compiled at run time.
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateMounts=yes
DevicePolicy=closed
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
${setsForwarding ? '# /proc/sys/net stays writable: the daemon lets the kernel route for joined networks.\n' : 'ProtectKernelTunables=yes\nProcSubset=pid\n'}ProtectProc=invisible
${lines('ReadWritePaths', writes)}LockPersonality=yes
RemoveIPC=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
UMask=0077
# The journal of the entries has to outlive missd, as the entries do.
RuntimeDirectory=missd
RuntimeDirectoryMode=0700
RuntimeDirectoryPreserve=yes

[Install]
WantedBy=multi-user.target
`;
}

const identity = (entersNamespaces: boolean): string =>
  entersNamespaces
    ? '# Root without capabilities other than those below: only root may open the files of namespaces.\nUser=root'
    : 'DynamicUser=yes';

const lines = (name: string, values: readonly string[]): string =>
  values.map((value) => `${name}=${value.replaceAll('%', '%%')}\n`).join('');

/** Quotes one word of a command line (systemd.service(5), COMMAND LINES). The specifier `%d` of a credential stays. */
function quoted(word: string): string {
  const escaped = word
    .replace(/%(?!d\/)/g, '%%')
    .replaceAll('$', '$$$$')
    .replace(/["\\]/g, '\\$&');
  return /^[\w@:/.,=+%-]+$/.test(escaped) ? escaped : `"${escaped}"`;
}

/** The systemd unit: as much as the daemon needs and no more, each line held by a test against `systemd-analyze`. */

/** What of a unit differs from host to host. */
export interface UnitOptions {
  /** The program and its arguments, as they are to be executed. */
  command: readonly string[];
  /** Whether namespaces other than the host's are entered, which takes CAP_SYS_ADMIN. */
  entersNamespaces: boolean;
  /** Files that only root may read, by the name under which the daemon gets its copy. */
  credentials: ReadonlyMap<string, string>;
  /** Whose sockets and files the daemon may use besides its own. */
  groups: readonly string[];
}

/** Marks a unit that missd wrote. */
export const SIGNATURE = '# Written by `missd service install`';

/** Where systemd looks first. */
export const UNIT_FILE = '/etc/systemd/system/missd.service';

/** Where a service finds its credentials (systemd.exec(5), CREDENTIALS). */
export const credentialPath = (name: string): string => `%d/${name}`;

export function renderUnit({ command, entersNamespaces, credentials, groups }: UnitOptions): string {
  const capabilities = `CAP_NET_ADMIN CAP_NET_RAW${entersNamespaces ? ' CAP_SYS_ADMIN' : ''}`;
  return `${SIGNATURE}, which writes it again: put changes of your own into \`systemctl edit missd\`.
[Unit]
Description=missd, answers VXLAN misses from a directory
After=network.target
# A host without it has no new pairs: it is never given up.
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart=${command.map(quoted).join(' ')}
ExecReload=/bin/kill -HUP $MAINPID
SyslogIdentifier=missd
Restart=always
RestartSec=3
# What cannot be meant is not tried again.
RestartPreventExitStatus=2
WatchdogSec=30
# It ends what it began in the kernel (nft) first. Its entries stay, and traffic with them.
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
ProtectKernelTunables=yes
ProtectProc=invisible
ProcSubset=pid
LockPersonality=yes
RemoveIPC=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
UMask=0077
# The journal of its entries outlives it, as they do.
RuntimeDirectory=missd
RuntimeDirectoryMode=0700
RuntimeDirectoryPreserve=yes

[Install]
WantedBy=multi-user.target
`;
}

const identity = (entersNamespaces: boolean): string =>
  entersNamespaces
    ? '# Root without root’s powers: who may enter namespaces needs to reach their files, which are root’s.\nUser=root'
    : 'DynamicUser=yes';

const lines = (name: string, values: readonly string[]): string =>
  values.map((value) => `${name}=${value.replaceAll('%', '%%')}\n`).join('');

/** One word of a command line (systemd.service(5), COMMAND LINES). A specifier that is meant, `%d`, stays. */
function quoted(word: string): string {
  const escaped = word
    .replace(/%(?!d\/)/g, '%%')
    .replaceAll('$', '$$$$')
    .replace(/["\\]/g, '\\$&');
  return /^[\w@:/.,=+%-]+$/.test(escaped) ? escaped : `"${escaped}"`;
}

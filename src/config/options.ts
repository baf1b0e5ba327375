/**
 * Every option of the command line in one place. A value comes from the flag, else the environment
 * (`MISSD_` and the name in capitals), else the YAML file of `--config` (keys are the long names), else the default.
 */
import { Command, Option } from 'commander';
import type { DirectoryOptions } from '../directory/options.ts';
import type { VniStrategy } from '../model/strategy.ts';
import { applyFile } from './file.ts';
import * as parse from './parse.ts';

export interface ListenOptions {
  listen: parse.HostPort;
}

/** Where to look for one address. */
export interface ExplainOptions extends DirectoryOptions, ListenOptions, TablesOptions {
  directory?: string;
  local: string[];
  vtepAllow: string[];
}

/** Which tables are meant. */
export interface TablesOptions {
  /** Paths; empty means the daemon's own namespace. */
  netns: string[];
  /** Empty means every VXLAN device with l2miss or l3miss. */
  device: string[];
}

/** Which tables, and where their journals are. */
export interface FlushOptions extends TablesOptions {
  stateDir: string;
}

/** How this host joins networks. */
export interface JoinOptions {
  /** Names of networks. */
  join: string[];
  hostId?: string;
  masquerade?: boolean;
  /** Path of the namespace of their devices and bridges. */
  overlayNetns?: string;
  /** Path of the file with Flannel's variables. */
  subnetFile?: string;
}

export interface RunOptions extends DirectoryOptions, ListenOptions, FlushOptions, JoinOptions {
  /** Static YAML directory instead of Redis. */
  directory?: string;
  local: string[];
  vtepAllow: string[];
  /** Of VNIs that are not served on demand alone. */
  strategy: VniStrategy[];
  /** VNIs whose broadcasts are replicated. */
  broadcast: number[];
  /** Of those, a second and device. */
  broadcastRate: number;
  /** Seconds, all of them. */
  negativeLifetime: number;
  lifetime: number;
  idle: number;
  audit: number;
  withdrawalGrace: number;
  maxEntries: number;
  flushOnExit?: boolean;
  wait?: boolean;
  /** Lookups a second for unknown addresses, per asking port. */
  lookupRate: number;
  /** Bytes. */
  receiveBuffer: number;
  logLevel: string;
  logFormat?: 'json' | 'pretty';
}

/** Where the journals and the control socket are unless `--state-dir` says otherwise. */
const STATE_DIR = '/run/missd';

/** Options that may be given several times; their value is a list, empty when they are not given. */
const LISTS = new Set(['netns', 'device', 'local', 'vtep-allow', 'strategy', 'broadcast', 'join']);

const option = (flags: string, description: string): Option => {
  const made = new Option(flags, description);
  return made.env(`MISSD_${made.name().toUpperCase().replaceAll('-', '_')}`);
};

/** What an option's number may be: told in its help, and checked wherever its value comes from. */
type Bounds = readonly [least: number, most: number];

const told = (description: string, [least, most]: Bounds): string => `${description} (${least} to ${most})`;

const secondsOption = (flags: string, description: string, bounds: Bounds, usual: number): Option =>
  option(flags, told(description, bounds))
    .default(usual)
    .argParser(parse.seconds(...bounds));

const countOption = (flags: string, description: string, bounds: Bounds, usual: number): Option =>
  option(flags, told(description, bounds))
    .default(usual)
    .argParser(parse.integer(...bounds));

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

const CONFIG = new Option(
  '--config <file>',
  'YAML file with any of these options, named without the dashes',
).env('MISSD_CONFIG');

const directoryOptions = (): Option[] => [
  option(
    '--redis <url>',
    'redis://, rediss://, a socket path, redis+sentinel://h:p,h:p/MASTER, redis+cluster://h:p,h:p',
  ).default('redis://127.0.0.1:6379'),
  option('--redis-password-file <file>', 'file that holds the password'),
  option('--redis-sentinel-user <name>', 'user name for the sentinels themselves'),
  option('--redis-sentinel-password-file <file>', 'file that holds the password of the sentinels themselves'),
  option('--redis-ca <file>', 'CA certificate for rediss'),
  option('--redis-cert <file>', 'client certificate for rediss'),
  option('--redis-key <file>', 'key of the client certificate'),
  option('--key-prefix <name>', 'first part of every key').default('missd').argParser(parse.keyPrefix),
];

const listenOption = (): Option =>
  option('--listen <host:port>', "the daemon's HTTP address")
    .default(parse.hostPort('127.0.0.1:9847'), '127.0.0.1:9847')
    .argParser(parse.hostPort);

/** Namespaces and devices, as `run` and `flush` take them. */
const netnsOption = (): Option =>
  option('--netns <name|path>', "namespace to serve; repeatable (default: the daemon's own)").argParser(
    parse.list(parse.netns),
  );
const deviceOption = (): Option =>
  option(
    '--device <name>',
    'VXLAN device to serve; repeatable (default: every one with l2miss or l3miss)',
  ).argParser(parse.list(parse.deviceName));

/** Address and folder by which commands find a daemon. */
const stateDirOption = (): Option =>
  option(
    '--state-dir <folder>',
    'on tmpfs: the journal of the entries that missd wrote, and the socket that `missd flush` asks a daemon by',
  ).default(STATE_DIR);

/** Options that validate records, for `run` and `explain`. */
const judgingOptions = (): Option[] => [
  ...directoryOptions(),
  option('--directory <file>', 'a static YAML directory instead of Redis, read again when it changes'),
  netnsOption(),
  deviceOption(),
  option(
    '--local <ip>',
    "another address of this host as VTEP, besides its interfaces'; repeatable",
  ).argParser(parse.list(parse.localIp)),
  option('--vtep-allow <cidr>', 'VTEPs that records may name; repeatable (default: any unicast)').argParser(
    parse.list(parse.cidr),
  ),
];

const joinOptions = (): Option[] => [
  option(
    '--join <network>',
    'network whose device, bridge and addresses missd makes and keeps right on this host; repeatable (default: none)',
  ).argParser(parse.list(parse.networkName)),
  option(
    '--host-id <id>',
    'name of this host among those of its networks (default: its underlay address)',
  ).argParser(parse.hostId),
  option('--masquerade', 'give packets of guests that leave a joined network the address of this host'),
  option(
    '--overlay-netns <name|path>',
    'namespace of their own for the devices and bridges of joined networks; a name is made where it is missing',
  ).argParser(parse.netns),
  option('--subnet-file <file>', "write the prefix of a routed network there, in Flannel's variables"),
];

const runOptions = (): Option[] => [
  ...judgingOptions(),
  ...joinOptions(),
  option(
    '--strategy <vni=strategy>',
    'how the entries of a VNI come about: miss, preload or routes; repeatable (default: miss)',
  ).argParser(parse.strategies),
  option(
    '--broadcast <vni>',
    'VNI whose broadcasts are replicated to all hosts that take part; repeatable (default: none)',
  ).argParser(parse.list(parse.vni)),
  countOption(
    '--broadcast-rate <n>',
    'broadcasts a second that a device replicates; one port of its bridge gets a quarter',
    [1, 1_000_000],
    200,
  ),
  secondsOption('--lifetime <s>', 'an answer older than this is checked again', [0.1, parse.YEAR], 60),
  secondsOption('--idle <s>', 'an entry unused this long is removed', [0.1, parse.YEAR], 3600),
  secondsOption(
    '--audit <s>',
    'interval between comparisons of the kernel tables with the desired entries',
    [0.1, parse.DAY],
    10,
  ),
  secondsOption(
    '--withdrawal-grace <s>',
    'how long entries stay when their records are gone all at once; 0: not at all',
    [0, parse.YEAR],
    300,
  ),
  countOption(
    '--max-entries <n>',
    'entries held at most; one asking port gets a quarter of them',
    [1, 10_000_000],
    200_000,
  ),
  option('--flush-on-exit', 'remove own entries on SIGTERM (default: entries outlive the daemon)'),
  option(
    '--wait',
    'wait while another missd serves the device, or no namespace or underlay address is there yet, instead of refusing',
  ),
  secondsOption(
    '--negative-lifetime <s>',
    'how long an address without a record stays in the negative cache',
    [0, parse.YEAR],
    5,
  ),
  countOption(
    '--lookup-rate <n>',
    'lookups a second that one asking port may cause for unknown addresses',
    [1, 1_000_000],
    2000,
  ),
  option('--receive-buffer <bytes>', 'netlink receive buffer (1 to 1024MiB)')
    .default(64 * 1024 ** 2, '64MiB')
    .argParser(parse.bytes),
  listenOption(),
  stateDirOption(),
  option('--log-level <level>', 'least severe level that is logged').default('info').choices(LOG_LEVELS),
  option('--log-format <format>', 'format of the log (default: pretty on a terminal)').choices([
    'json',
    'pretty',
  ]),
];

/** Those that say what the daemon is to do, without how: what can be judged before it does it. */
export type DoctorOptions = DirectoryOptions &
  ListenOptions &
  TablesOptions &
  Pick<RunOptions, (typeof DOCTORED)[number]>;
const DOCTORED = ['directory', 'local', 'vtepAllow', 'strategy', 'broadcast', 'receiveBuffer'] as const;

const doctorOptions = (): Option[] => {
  const taken: readonly string[] = [...judgingOptions().map((one) => one.attributeName()), ...DOCTORED];
  return [...runOptions().filter((one) => taken.includes(one.attributeName())), listenOption()];
};

/** Groups of options a command may take. */
interface Groups {
  leave: LeaveOptions;
  run: RunOptions;
  directory: DirectoryOptions;
  listen: ListenOptions;
  tables: FlushOptions;
  doctor: DoctorOptions;
  explain: ExplainOptions;
}

/** Where a network was joined, and the directory that knows of it. */
type LeaveOptions = DirectoryOptions &
  Pick<FlushOptions, 'netns' | 'stateDir'> &
  Pick<RunOptions, 'directory' | 'hostId' | 'overlayNetns'>;
const LEFT = ['directory', 'hostId', 'overlayNetns'];

const leaveOptions = (): Option[] => [
  ...directoryOptions(),
  ...runOptions().filter((one) => LEFT.includes(one.attributeName())),
  netnsOption(),
  stateDirOption(),
];

const OPTIONS: Record<keyof Groups, () => Option[]> = {
  leave: leaveOptions,
  run: runOptions,
  directory: directoryOptions,
  listen: () => [listenOption()],
  tables: () => [netnsOption(), deviceOption(), stateDirOption()],
  doctor: doctorOptions,
  explain: () => [...judgingOptions(), listenOption()],
};

/** Declares a group's options and `--config` on a command. */
export function declare(command: Command, group: keyof Groups): Command {
  for (const one of OPTIONS[group]()) command.addOption(one);
  return command.addOption(CONFIG);
}

/**
 * The values in force for a command declared with `declare`.
 * @throws UsageError naming the file and key, for a file that is missing, does not parse or has a wrong value
 */
export function resolve<K extends keyof Groups>(command: Command, _group: K): Groups[K] {
  const file = command.getOptionValue('config') as string | undefined;
  if (file !== undefined) applyFile(command, file, { known: KNOWN_KEYS, lists: LISTS });
  for (const one of command.options)
    if (LISTS.has(one.name()) && command.getOptionValue(one.attributeName()) === undefined)
      command.setOptionValueWithSource(one.attributeName(), [], 'default');
  return command.opts<Groups[K]>();
}

/** Keys of any command are accepted, so that one file serves `run`, `endpoint`, `status` and `flush`. */
const KNOWN_KEYS = new Set(runOptions().map((one) => one.name()));

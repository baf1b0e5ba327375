/** Makes a unit from the options of `missd run`, or refuses options that cannot work in a service. */
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { RunOptions } from '../config/options.ts';
import { redisTarget } from '../directory/redis/url.ts';
import { RuntimeFailure, UsageError, reasonOf } from '../base/errors.ts';
import type { Given } from '../config/given.ts';
import { SIGNATURE, credentialPath, renderUnit } from './unit.ts';

/** Options whose files may hold secrets: systemd reads the files as root and gives the daemon copies. */
const SECRETS = new Set([
  'config',
  'redis-password-file',
  'redis-sentinel-password-file',
  'redis-ca',
  'redis-cert',
  'redis-key',
]);

/** Options that name other files, which may be relative to where the command is typed. */
const PATHS = new Set(['directory', 'subnet-file']);

/** Directories that are hidden or empty in a service (ProtectHome, PrivateTmp). */
const HIDDEN = /^\/(home|root|run\/user|tmp|var\/tmp)\//;

const OTHERS_READ = 0o004;
const OTHERS_ENTER = 0o001;
const OTHERS_WRITE = 0o002;

/** The program that runs now. */
export interface Program {
  /** Absolute paths of node and of `dist/main.js`. */
  node: string;
  main: string;
}

/**
 * @param given the options as typed
 * @param options the same options, parsed
 * @throws UsageError that names an option or file that cannot work in a service
 */
export function unitFor({ node, main }: Program, given: readonly Given[], options: RunOptions): string {
  const entersNamespaces = options.netns.length > 0;
  const processes = options.netns.find((path) => path.startsWith('/proc/'));
  if (processes !== undefined)
    throw new UsageError(
      `${processes}: the service cannot see other processes: give the namespace a name (ip netns attach NAME PID)`,
    );
  const credentials = new Map<string, string>();
  const words = given.flatMap(({ name, text }): string[] => {
    if (text === undefined) return name === 'wait' ? [] : [`--${name}`];
    mustBeOneLine(name, text);
    if (name === 'redis') mustHoldNoPassword(text);
    if (!SECRETS.has(name)) return [`--${name}`, PATHS.has(name) ? resolve(text) : text];
    const path = resolve(text);
    if (!existsSync(path)) throw new UsageError(`--${name}: ${path} does not exist`);
    credentials.set(name, path);
    return [`--${name}`, credentialPath(name)];
  });
  if (options.directory !== undefined) {
    const path = resolve(options.directory);
    mustBeVisible(path, 'put it into /etc/missd');
    if (!entersNamespaces) mustBeReadable(path);
  }
  const subnetFile = options.subnetFile === undefined ? undefined : resolve(options.subnetFile);
  if (subnetFile !== undefined) {
    mustBeVisible(subnetFile, 'put it into /run/flannel');
    if (!existsSync(dirname(subnetFile)))
      throw new UsageError(`--subnet-file: ${dirname(subnetFile)} does not exist`);
  }
  // The service waits while another missd serves the devices. People read its log in the journal.
  const defaults = [
    '--wait',
    ...(given.some(({ name }) => name === 'log-format') ? [] : ['--log-format', 'pretty']),
  ];
  return renderUnit({
    command: [node, main, 'run', ...words, ...defaults],
    entersNamespaces,
    setsForwarding: options.join.length > 0,
    writes: subnetFile === undefined ? [] : [dirname(subnetFile)],
    credentials,
    groups: options.directory === undefined ? groupsOf(options) : [],
  });
}

/** @throws UsageError if a service could not run the program at its path */
export function mustSuit({ node, main }: Program, { netns }: RunOptions): void {
  for (const path of [node, main]) {
    mustBeVisible(path, 'install Node and missd for all users (npm install -g)');
    if (netns.length === 0) mustBeReadable(path);
  }
}

function mustBeOneLine(name: string, text: string): void {
  if (/\p{Cc}/u.test(text)) throw new UsageError(`--${name}: control characters cannot be part of a unit`);
}

function mustHoldNoPassword(url: string): void {
  if (/^[^/]*:\/\/[^@/]*:[^@/]*@/.test(url))
    throw new UsageError(
      '--redis: every user can read a unit: put the password into a --redis-password-file',
    );
}

function mustBeVisible(path: string, instead: string): void {
  if (HIDDEN.test(path)) throw new UsageError(`${path}: a service cannot see this directory: ${instead}`);
}

/** The daemon runs as an unprivileged user without groups, so the file must be readable by others. */
function mustBeReadable(path: string): void {
  try {
    const readable = (statSync(path).mode & OTHERS_READ) !== 0;
    if (!readable) throw new UsageError(`${path}: the service cannot read it: chmod o+r ${path}`);
    for (let at = dirname(path); at !== '/'; at = dirname(at))
      if ((statSync(at).mode & OTHERS_ENTER) === 0)
        throw new UsageError(`${path}: the service cannot get into ${at}: chmod o+x ${at}`);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${path}: ${reasonOf(error)}`, { cause: error });
  }
}

/** On Debian the group redis may use the socket of Redis, so the service needs that group. */
function groupsOf(options: RunOptions): string[] {
  const { where } = redisTarget(options);
  if (where.kind !== 'socket') return [];
  const socket = statSync(where.path, { throwIfNoEntry: false });
  return socket === undefined || (socket.mode & OTHERS_WRITE) !== 0 ? [] : [String(socket.gid)];
}

/** @throws RuntimeFailure if missd did not write the file, or it is not writable */
export function writeUnit(file: string, unit: string): void {
  mustBeOurs(file);
  attempt(() => {
    writeFileSync(file, unit, { mode: 0o644 });
  });
}

/** Removes the unit and disables it. @throws RuntimeFailure if there is no unit that missd wrote */
export function removeUnit(file: string): void {
  if (!existsSync(file))
    throw new RuntimeFailure(`${file} does not exist: missd is not installed as a service`);
  mustBeOurs(file);
  attempt(() => {
    rmSync(file);
    rmSync(resolve(dirname(file), 'multi-user.target.wants/missd.service'), { force: true });
  });
}

function mustBeOurs(file: string): void {
  if (existsSync(file) && !readFileSync(file, 'utf8').startsWith(SIGNATURE))
    throw new RuntimeFailure(`${file} was not written by missd: move it away first`);
}

function attempt(change: () => void): void {
  try {
    change();
  } catch (error) {
    throw new RuntimeFailure(`${reasonOf(error)} (this takes root)`, { cause: error });
  }
}

/** Runs doctor on a host of a lab. */
import type { Finding, Level } from '../../src/doctor/finding.ts';
import { type Outcome, attempt } from '../../src/lab/command.ts';
import { MISSD } from '../../src/lab/daemon.ts';
import type { Host } from '../../src/lab/host.ts';
import type { Pair } from './harness.ts';

export interface Examined extends Outcome {
  findings: Finding[];
  /** Those that are this bad or worse, as `group/check`. */
  named: (level: Level) => string[];
  find: (name: string) => Finding | undefined;
}

export interface ExamineOptions {
  /** Instead of the pair's Redis. */
  directory?: readonly string[];
  flags?: readonly string[];
  env?: Record<string, string>;
  /** Words in front of the command. */
  under?: readonly string[];
}

/** Below the ports that are handed out to whoever asks for any. */
const NOBODY = '127.0.0.1:19847';
const SEVERITY: readonly Level[] = ['ok', 'note', 'warning', 'broken'];

/** @throws Error with what it said where it said nothing as JSON */
export async function examine(pair: Pair, host: Host, options: ExamineOptions = {}): Promise<Examined> {
  const { directory = ['--redis', pair.redis.socket], flags = [], env = {}, under = [] } = options;
  const outcome = await attempt([
    ...['env', ...Object.entries(env).map(([name, value]) => `${name}=${value}`), ...under],
    ...doctorArgv(pair, host),
    ...['--json', ...directory, ...flags],
  ]);
  if (outcome.stdout === '') throw new Error(`doctor said nothing: ${outcome.stderr}`);
  const { findings } = JSON.parse(outcome.stdout) as { findings: Finding[] };
  return {
    ...outcome,
    findings,
    named: (level) =>
      findings
        .filter((one) => SEVERITY.indexOf(one.level) >= SEVERITY.indexOf(level))
        .map(({ group, check }) => `${group}/${check}`),
    find: (name) => findings.find(({ group, check }) => `${group}/${check}` === name),
  };
}

export function doctorArgv(pair: Pair, host: Host): string[] {
  const daemon = pair.daemons[host.n - 1];
  const listen = daemon === undefined ? NOBODY : new URL(daemon.url).host;
  const namespaces = host.served.flatMap((name) => ['--netns', name]);
  return [process.execPath, MISSD, 'doctor', '--listen', listen, ...namespaces];
}

/** What the kernel's limits of this machine have doctor say, whatever the lab does. */
export const isOfTheMachine = (name: string): boolean => /^limits\/(gc_thresh|bridge-netfilter)/.test(name);

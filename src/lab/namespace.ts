/** A network namespace with a name under /run/netns, and iproute2 inside it. */
import { LabError, type Outcome, type RunOptions, attempt, printable, run } from './command.ts';
import type { FdbRow, NeighbourRow } from './rows.ts';

/** The words of one `ip` or `bridge` command, without the program itself. */
export type Words = readonly (string | number)[];

export class Namespace {
  readonly name: string;
  /** Called with every command that changes something, in a form that can be typed. */
  readonly record: (command: string) => void;

  constructor(name: string, record: (command: string) => void = () => undefined) {
    this.name = name;
    this.record = record;
  }

  get path(): string {
    return `/run/netns/${this.name}`;
  }

  /** Runs `ip` commands in order, in one process. @throws LabError at the first failure */
  async ip(...commands: Words[]): Promise<void> {
    await batch(this.inside(['ip']), ['ip', '-n', this.name], commands, this.record);
  }

  /** Runs `bridge` commands in order, in one process. */
  async bridge(...commands: Words[]): Promise<void> {
    await batch(this.inside(['bridge']), ['bridge', '-n', this.name], commands, this.record);
  }

  /** The output of `ip … show`, parsed from JSON. */
  async show(...words: Words): Promise<Record<string, unknown>[]> {
    return json(await this.exec(['ip', '-j', '-d', ...words.map(String)]));
  }

  /** Every neighbour of a device, in any state. */
  async neighbours(device: string): Promise<NeighbourRow[]> {
    const rows = json(await this.exec(['ip', '-j', 'neigh', 'show', 'dev', device, 'nud', 'all']));
    return rows.map((row) => ({
      ip: row['dst'] as string,
      lladdr: row['lladdr'] as string | undefined,
      state: (row['state'] as string[]).join(','),
      externLearned: 'extern_learn' in row,
      router: 'router' in row,
      protocol: row['protocol'] === undefined ? 0 : Number(row['protocol']),
    }));
  }

  /** Every FDB entry of a device, `self` and `master`. */
  async fdb(device: string): Promise<FdbRow[]> {
    const rows = json(await this.exec(['bridge', '-j', 'fdb', 'show', 'dev', device]));
    return rows.map((row) => {
      const flags = (row['flags'] ?? []) as string[];
      return {
        lladdr: row['mac'] as string,
        vtep: row['dst'] as string | undefined,
        state: (row['state'] as string | undefined) ?? 'reachable',
        self: flags.includes('self'),
        master: row['master'] as string | undefined,
        externLearned: flags.includes('extern_learn'),
        router: flags.includes('router'),
      };
    });
  }

  /** Runs a program inside the namespace. */
  async exec(argv: readonly string[], options?: RunOptions): Promise<string> {
    return run(this.inside(argv), options);
  }

  /** The same, with any exit code as a result. */
  async attempt(argv: readonly string[], options?: RunOptions): Promise<Outcome> {
    return attempt(this.inside(argv), options);
  }

  /** nsenter instead of `ip -n` or `ip netns exec`, which remount /sys and fail in a chroot. */
  inside(argv: readonly string[]): string[] {
    return ['nsenter', `--net=${this.path}`, '--', ...argv];
  }

  /** Sets kernel parameters by their path below /proc/sys, e.g. `net/ipv4/ip_forward`. */
  async sysctl(settings: Record<string, string | number>): Promise<void> {
    const assignments = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
    for (const assignment of assignments) this.record(`ip netns exec ${this.name} sysctl -w ${assignment}`);
    // No sysctl(8), because a minimal Debian lacks procps. The script is constant; keys and values are its arguments.
    const script = 'for a; do echo "${a#*=}" > "/proc/sys/${a%%=*}" || exit 1; done';
    await this.exec(['sh', '-c', script, 'sh', ...assignments]);
  }
}

/** Runs `ip` outside the namespaces, to create them. */
export async function ip(record: (command: string) => void, ...commands: Words[]): Promise<void> {
  await batch(['ip'], ['ip'], commands, record);
}

/**
 * Runs many commands in one process, so that a lab of five namespaces is built in tenths of a second.
 * @param shown the program, as typed in the recorded commands
 */
async function batch(
  program: readonly string[],
  shown: readonly string[],
  commands: readonly Words[],
  record: (command: string) => void,
): Promise<void> {
  const lines = commands.map((words) => words.map(String));
  for (const words of lines) {
    const bad = words.find((word) => !/^[^\s'"\\#]+$/.test(word));
    if (bad !== undefined) throw new LabError([...shown, ...words], `"${bad}" cannot be in a batch`);
    record(printable([...shown, ...words]));
  }
  const input = lines.map((words) => `${words.join(' ')}\n`).join('');
  const outcome = await attempt([...program, '-batch', '-'], { input });
  if (outcome.code === 0) return;
  // "Command failed -:3" names the line that stopped it.
  const failed = lines[Number(/-:(\d+)\s*$/.exec(outcome.stderr)?.[1] ?? 1) - 1] ?? [];
  throw new LabError([...shown, ...failed], outcome.stderr.replace(/Command failed -:\d+\s*$/, ''));
}

/** iproute2 prints an empty text instead of an empty array. */
function json(text: string): Record<string, unknown>[] {
  return text.trim() === '' ? [] : (JSON.parse(text) as Record<string, unknown>[]);
}

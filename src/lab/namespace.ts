/** A network namespace with a name under /run/netns, and iproute2 inside it. */
import { LabError, type Outcome, type RunOptions, attempt, printable, run } from './command.ts';
import type { FdbRow, NeighbourRow } from './rows.ts';

/** The words of one `ip` or `bridge` command, without the program itself. */
export type Words = readonly (string | number)[];

export class Namespace {
  readonly name: string;
  /** Told every command that changed something, as one could type it. */
  readonly record: (command: string) => void;

  constructor(name: string, record: (command: string) => void = () => undefined) {
    this.name = name;
    this.record = record;
  }

  get path(): string {
    return `/run/netns/${this.name}`;
  }

  /** Runs `ip` commands in order, in one process. @throws LabError at the first that fails */
  async ip(...commands: Words[]): Promise<void> {
    await ipBatch(['ip', '-n', this.name], commands, this.record);
  }

  /** Runs `bridge` commands in order, in one process. */
  async bridge(...commands: Words[]): Promise<void> {
    await ipBatch(['bridge', '-n', this.name], commands, this.record);
  }

  /** What an `ip … show` says, as objects. */
  async show(...words: Words): Promise<Record<string, unknown>[]> {
    return json(await run(['ip', '-j', '-d', '-n', this.name, ...words.map(String)]));
  }

  /** Every neighbour row of a device, the proxies and NOARP ones included. */
  async neighbours(device: string): Promise<NeighbourRow[]> {
    const rows = json(await run(['ip', '-j', '-n', this.name, 'neigh', 'show', 'dev', device, 'nud', 'all']));
    return rows.map((row) => ({
      ip: row['dst'] as string,
      lladdr: row['lladdr'] as string | undefined,
      state: (row['state'] as string[]).join(','),
      externLearned: 'extern_learn' in row,
      router: 'router' in row,
      protocol: row['protocol'] === undefined ? 0 : Number(row['protocol']),
    }));
  }

  /** Every FDB row of a device, `self` and `master`. */
  async fdb(device: string): Promise<FdbRow[]> {
    const rows = json(await run(['bridge', '-j', '-n', this.name, 'fdb', 'show', 'dev', device]));
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

  /** A program inside the namespace. */
  async exec(argv: readonly string[], options?: RunOptions): Promise<string> {
    return run(this.inside(argv), options);
  }

  /** The same, where failure is an answer. */
  async attempt(argv: readonly string[], options?: RunOptions): Promise<Outcome> {
    return attempt(this.inside(argv), options);
  }

  inside(argv: readonly string[]): string[] {
    return ['ip', 'netns', 'exec', this.name, ...argv];
  }

  /** Sets kernel parameters by their path below /proc/sys, e.g. `net/ipv4/ip_forward`. */
  async sysctl(settings: Record<string, string | number>): Promise<void> {
    const assignments = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
    for (const assignment of assignments) this.record(`ip netns exec ${this.name} sysctl -w ${assignment}`);
    // procps is not on a minimal Debian. The script is constant; keys and values are its arguments.
    const script = 'for a; do echo "${a#*=}" > "/proc/sys/${a%%=*}" || exit 1; done';
    await this.exec(['sh', '-c', script, 'sh', ...assignments]);
  }
}

/** Many commands in one process: a lab of five namespaces is built in tenths of a second this way. */
export async function ipBatch(
  program: readonly string[],
  commands: readonly Words[],
  record: (command: string) => void = () => undefined,
): Promise<void> {
  const lines = commands.map((words) => words.map(String));
  for (const words of lines) {
    const bad = words.find((word) => !/^[^\s'"\\#]+$/.test(word));
    if (bad !== undefined) throw new LabError([...program, ...words], `"${bad}" cannot be in a batch`);
    record(printable([...program, ...words]));
  }
  const input = lines.map((words) => `${words.join(' ')}\n`).join('');
  const outcome = await attempt([...program, '-batch', '-'], { input });
  if (outcome.code === 0) return;
  // "Command failed -:3" names the line that stopped it.
  const failed = lines[Number(/-:(\d+)\s*$/.exec(outcome.stderr)?.[1] ?? 1) - 1] ?? [];
  throw new LabError([...program, ...failed], outcome.stderr.replace(/Command failed -:\d+\s*$/, ''));
}

/** iproute2 prints nothing at all where there is nothing to show. */
function json(text: string): Record<string, unknown>[] {
  return text.trim() === '' ? [] : (JSON.parse(text) as Record<string, unknown>[]);
}

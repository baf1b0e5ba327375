/** Several `ip` commands in one process. */
import { inside } from './inside.ts';

/** The words of one `ip` command, without the program itself. */
export type Words = readonly (string | number)[];

/** Making a link waits for the kernel's RTNL lock, which a namespace on its way out holds for seconds, ms. */
const PATIENCE = 10_000;

/**
 * Runs them in order, until one fails.
 * @param path of the namespace, null for the daemon's own
 * @throws Error with the command that failed and the kernel's own words
 */
export async function ipBatch(path: string | null, commands: readonly Words[]): Promise<void> {
  if (commands.length === 0) return;
  const lines = commands.map((words) => words.map(String));
  const bad = lines.flat().find((word) => !/^[^\s'"\\#]+$/.test(word));
  if (bad !== undefined) throw new Error(`"${bad}" cannot be a word of an ip command`);
  const input = lines.map((words) => `${words.join(' ')}\n`).join('');
  const { code, stderr } = await inside(path, ['ip', '-batch', '-'], PATIENCE, input);
  if (code === 0) return;
  // "Command failed -:3" names the line that stopped it.
  const failed = lines[Number(/-:(\d+)\s*$/.exec(stderr)?.[1] ?? 1) - 1] ?? [];
  const said = stderr.replace(/Command failed -:\d+\s*$/, '').replace(/RTNETLINK answers: /g, '');
  throw new Error(`ip ${failed.join(' ')}: ${said.trim().split('\n').join('; ')}`);
}

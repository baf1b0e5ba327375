/** `missd explain` as an operator runs it on a host of the lab. */
import { MISSD } from '../../src/lab/daemon.ts';
import { attempt } from '../../src/lab/command.ts';
import type { Explanation } from '../../src/explain/explain.ts';
import type { Finding } from '../../src/explain/finding.ts';
import type { Guest } from '../../src/lab/guest.ts';
import type { Host } from '../../src/lab/host.ts';
import type { Pair } from './harness.ts';

export interface Explained extends Explanation {
  code: number;
  /** What a stage has to say. */
  of: (stage: Finding['stage']) => Finding[];
}

export interface ExplainOptions {
  /** Default 20.0.0.2. */
  address?: string;
  host?: Host;
  from?: Guest;
  /** Without a directory of its own. */
  flags?: readonly string[];
  netns?: readonly string[];
}

/** @throws Error where it prints no explanation */
export async function explain(pair: Pair, options: ExplainOptions = {}): Promise<Explained> {
  const { address = '20.0.0.2', host = pair.host1, from, flags = ['--redis', pair.redis.socket] } = options;
  const daemon = pair.daemons[host.n - 1];
  const argv = [process.execPath, MISSD, 'explain', String(host.segment.vni), address, ...flags];
  for (const name of options.netns ?? host.served) argv.push('--netns', name);
  if (daemon !== undefined) argv.push('--listen', new URL(daemon.url).host);
  if (from !== undefined) argv.push('--from', from.namespace.name);
  if (process.env['SHOW'] !== undefined) console.log((await attempt(argv)).stdout);
  const { code, stdout, stderr } = await attempt([...argv, '--json']);
  if (stdout === '') throw new Error(`explain ended with ${code}: ${stderr}`);
  const [explanation] = JSON.parse(stdout) as Explanation[];
  if (explanation === undefined) throw new Error('nothing was explained');
  return {
    ...explanation,
    code,
    of: (stage) => explanation.findings.filter((finding) => finding.stage === stage),
  };
}

/** Does what the verdict says is to be done next, as the operator would type it. */
export async function follow({ verdict }: Explained): Promise<void> {
  const command = (verdict.next ?? 'false')
    .replace(/^missd /, `${process.execPath} ${MISSD} `)
    // iproute2 remounts /sys for these, which a chroot does not permit.
    .replace(/\b(ip|bridge) -n (\S+) /g, 'nsenter --net=/run/netns/$2 -- $1 ');
  const { code, stderr } = await attempt(['sh', '-c', command]);
  if (code !== 0) throw new Error(`${command}: ${stderr}`);
}

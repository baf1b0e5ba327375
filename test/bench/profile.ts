/** Reading what profile-hook.ts has written. */
import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import type { Profiler } from 'node:inspector';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hook } from './hook.ts';
import { ROOT } from './root.ts';
import { percent } from './table.ts';

const MOST = 25;
const IDLE = '(idle)';

/** What to start missd with, so that its profile comes to lie in this directory. */
export function profiling(directory: string): Record<string, string> {
  mkdirSync(directory, { recursive: true });
  return { BENCH_PROFILE: directory, NODE_OPTIONS: hook('profile-hook') };
}

export const profilesIn = (directory: string): string[] =>
  readdirSync(directory)
    .filter((file) => file.endsWith('.cpuprofile'))
    .map((file) => join(directory, file));

/** The functions in which it spent most of the time that it did not wait. */
export function hottest(file: string): string {
  const { nodes, samples = [], timeDeltas = [] } = JSON.parse(readFileSync(file, 'utf8')) as Profiler.Profile;
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const times = new Map<string, number>();
  samples.forEach((id, index) => {
    const name = names.get(id) ?? '';
    times.set(name, (times.get(name) ?? 0) + (timeDeltas[index] ?? 0));
  });
  times.delete(IDLE);
  const busy = [...times.values()].reduce((a, b) => a + b, 0);
  const lines = [...times]
    .sort(([, a], [, b]) => b - a)
    .slice(0, MOST)
    .map(([name, time]) => `${percent(time / busy).padStart(6)}  ${name}`);
  return [
    `${relative(process.cwd(), file)}: ${(busy / 1e6).toFixed(2)} s, by function itself`,
    ...lines,
  ].join('\n');
}

function nameOf({ functionName, url, lineNumber }: Profiler.Profile['nodes'][number]['callFrame']): string {
  const name = functionName === '' ? '(anonymous)' : functionName;
  const path = url.startsWith('file:') ? relative(ROOT, fileURLToPath(url)) : url;
  return path === '' ? name : `${name}  ${path}:${lineNumber + 1}`;
}

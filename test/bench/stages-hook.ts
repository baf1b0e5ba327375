/**
 * Loaded before missd (`node --import`), notes when each stage of a miss begins and ends, and writes it all on exit.
 * It wraps the ports that the stages meet at, so missd itself has nothing in it that would cost something when off.
 *
 * BENCH_DIST is the directory of the build, BENCH_STAGES the file: lines of a mark and its CLOCK_MONOTONIC µs.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Observable, tap } from 'rxjs';
import type { Directory } from '../../src/directory/directory.ts';
import type { Kernel, KernelEvent, Namespace } from '../../src/kernel/kernel.ts';
import type { Mark } from './stages.ts';

const { BENCH_DIST: dist = '', BENCH_STAGES: file = '' } = process.env;

const marks: [Mark, bigint][] = [];
const mark = (name: Mark): void => {
  marks.push([name, process.hrtime.bigint()]);
};
process.on('exit', () => {
  const line = ([name, at]: [Mark, bigint]): string => `${name} ${Number(at) / 1000}\n`;
  writeFileSync(file, marks.map(line).join(''));
});

const load = (path: string): Promise<unknown> => import(pathToFileURL(join(dist, path)).href);

/** Puts another function in the place of a method; `wrap` is given the one that was there. */
function replace<T extends object, K extends keyof T>(
  object: T,
  name: K,
  wrap: (before: T[K]) => T[K],
): void {
  Object.defineProperty(object, name, { value: wrap(object[name]), configurable: true, writable: true });
}

const { LinuxKernel } = (await load('kernel/linux.js')) as { LinuxKernel: { prototype: Kernel } };
replace(LinuxKernel.prototype, 'open', (open) => {
  return function (this: Kernel, ...args) {
    const namespace: Namespace = open.apply(this, args);
    replace(namespace, 'events$', (events$: Observable<KernelEvent>) =>
      events$.pipe(
        tap(({ type }) => {
          if (type === 'misses') mark('misses');
        }),
      ),
    );
    replace(namespace, 'write', (write) => (writes) => {
      mark('write');
      const refused = write.call(namespace, writes);
      mark('written');
      return refused;
    });
    replace(namespace, 'announce', (announce) => (announcements) => {
      mark('announce');
      const failed = announce.call(namespace, announcements);
      mark('announced');
      return failed;
    });
    return namespace;
  };
});

const { RedisDirectory } = (await load('directory/redis.js')) as { RedisDirectory: { prototype: Directory } };
replace(RedisDirectory.prototype, 'read', (read) => {
  return async function (this: Directory, keys) {
    mark('read');
    const values = await read.call(this, keys);
    mark('answered');
    return values;
  };
});

/**
 * The limits of the neighbour table, one table for all namespaces of the machine: what a guest remembers and what a
 * routing host asks for counts, and with the defaults the kernel itself gives up at 1024.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { leaveNothingBehind } from '../../src/lab/sweep.ts';

const NAMES = ['gc_thresh1', 'gc_thresh2', 'gc_thresh3'];
const path = (name: string): string => `/proc/sys/net/ipv4/neigh/default/${name}`;

/** Raises them to `most` entries. @returns what puts them back, which also happens when the bench is stopped */
export function raiseThresholds(most: number): () => void {
  const before = NAMES.map((name) => readFileSync(path(name), 'utf8'));
  const restore = (): void => {
    NAMES.forEach((name, index) => {
      writeFileSync(path(name), before[index] ?? '');
    });
  };
  const forget = leaveNothingBehind(restore);
  for (const name of NAMES) writeFileSync(path(name), String(most));
  return () => {
    restore();
    forget();
  };
}

/**
 * The limits of the neighbour table, one table for all namespaces of the machine: what a guest remembers and what a
 * routing host asks for counts, and with the defaults the kernel itself gives up at 1024.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { leaveNothingBehind } from '../../src/lab/sweep.ts';

const NAMES = ['gc_thresh1', 'gc_thresh2', 'gc_thresh3'];
const path = (name: string): string => `/proc/sys/net/ipv4/neigh/default/${name}`;

const MANY = 1_000_000;
export const RAISED: readonly number[] = [MANY, MANY, MANY];
/** As the kernel comes (net/ipv4/arp.c). */
export const DEFAULTS: readonly number[] = [128, 512, 1024];

/** @returns what puts back those that were in force, which also happens when the bench is stopped */
export function setThresholds(values: readonly number[]): () => void {
  const before = NAMES.map((name) => readFileSync(path(name), 'utf8').trim());
  const write = (them: readonly (number | string)[]): void => {
    NAMES.forEach((name, index) => {
      writeFileSync(path(name), String(them[index]));
    });
  };
  const forget = leaveNothingBehind(() => {
    write(before);
  });
  write(values);
  return () => {
    write(before);
    forget();
  };
}

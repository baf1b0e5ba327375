/**
 * The kernel has one ARP table for all namespaces of the machine. A test that fills it leaves rows that nobody answers for
 * some seconds, and a guest that finds no room there cannot even ask: its ping is lost whatever missd does.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** What is left of a test that filled it goes within this, ms. */
const LONGEST = 15_000;

const limit = (): number => Number(readFileSync('/proc/sys/net/ipv4/neigh/default/gc_thresh3', 'utf8'));
/** The first column, the same in every row, in hexadecimal (net/core/neighbour.c, neigh_stat_seq_show). */
const entries = (): number =>
  parseInt(readFileSync('/proc/net/stat/arp_cache', 'utf8').split('\n')[1]?.split(/\s+/)[0] ?? '0', 16);

/** Waits until half of it is free; or as long as that can take, where others beside this test fill it. */
export async function roomForNeighbours(): Promise<void> {
  const deadline = performance.now() + LONGEST;
  while (entries() > limit() / 2 && performance.now() < deadline) await sleep(50);
}

/**
 * Batches between JavaScript and C++ as an array of numbers and one of texts: an object with its named properties costs
 * a microsecond there, and a storm brings a hundred thousand. The mirror of addon/src/js_packed.h, which has the order.
 */
import type { Asker, Miss } from '../vocabulary.ts';
import type { Announcement, EntryWrite } from './kernel.ts';

export type Packed = [numbers: Uint32Array, texts: string[]];

const OPERATIONS: readonly EntryWrite['op'][] = ['create', 'replace', 'append', 'delete', 'probe'];

const NUMBERS_PER_WRITE = 6;
const NUMBERS_PER_ANNOUNCEMENT = 2;
const NUMBERS_PER_MISS = 5;
const TEXTS_PER_MISS = 3;

export function packWrites(writes: readonly EntryWrite[]): Packed {
  const numbers = new Uint32Array(writes.length * NUMBERS_PER_WRITE);
  const texts: string[] = [];
  let at = 0;
  for (const write of writes) {
    const fdb = write.table === 'fdb';
    numbers[at++] = fdb ? 1 : 0;
    numbers[at++] = OPERATIONS.indexOf(write.op);
    numbers[at++] = write.ifindex;
    numbers[at++] = write.state;
    numbers[at++] = write.flags;
    numbers[at++] = fdb ? 0 : write.protocol;
    texts.push(write.lladdr, fdb ? (write.vtep ?? '') : write.ip);
  }
  return [numbers, texts];
}

export function packAnnouncements(announcements: readonly Announcement[]): Packed {
  const numbers = new Uint32Array(announcements.length * NUMBERS_PER_ANNOUNCEMENT);
  const texts: string[] = [];
  let at = 0;
  for (const { port, router, ip, lladdr, to } of announcements) {
    numbers[at++] = port;
    numbers[at++] = router ? 1 : 0;
    texts.push(ip, lladdr, to?.lladdr ?? '', to?.ip ?? '');
  }
  return [numbers, texts];
}

/** @param numbers is written over by the next batch */
export function unpackMisses(numbers: Uint32Array, texts: readonly string[], count: number): Miss[] {
  const misses: Miss[] = [];
  let last: Asker | undefined;
  for (let index = 0; index < count; index++) {
    const at = index * NUMBERS_PER_MISS;
    const from = index * TEXTS_PER_MISS;
    const address = texts[from] ?? '';
    const lladdr = texts[from + 1] ?? '';
    const ip = texts[from + 2] ?? '';
    const layer = numbers[at] === 3 ? 'l3' : 'l2';
    const ifindex = numbers[at + 1] ?? 0;
    const state = numbers[at + 2] ?? 0;
    const total = numbers[at + 3] ?? 0;
    const port = numbers[at + 4] ?? 0;
    if (port === 0) {
      misses.push({ layer, ifindex, address, state, count: total });
      continue;
    }
    // One guest asks for many things at once.
    if (last?.port !== port || last.lladdr !== lladdr || last.ip !== ip) last = { port, lladdr, ip };
    misses.push({ layer, ifindex, address, state, count: total, asker: last });
  }
  return misses;
}

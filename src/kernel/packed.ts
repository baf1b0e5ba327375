/**
 * Batches between JavaScript and C++ as an array of numbers, and texts: an object with its named properties costs a
 * microsecond there, and a storm brings a hundred thousand. The mirror of addon/src/js_packed.h, which has the order.
 */
import type { Asker, Miss } from '../base/vocabulary.ts';
import type { Announcement, EntryWrite, Probe } from './kernel.ts';

/** Texts go to C++ in one string: reading a text there takes a fifth of the time of an array element. */
export type Packed = [numbers: Uint32Array, texts: string];

/** No address has it. */
const SEPARATOR = '\0';
export const packTexts = (texts: readonly string[]): string => texts.join(SEPARATOR);

const OPERATIONS: readonly EntryWrite['op'][] = ['create', 'replace', 'append', 'delete', 'probe'];

const NUMBERS_PER_WRITE = 8;
const NUMBERS_PER_ANNOUNCEMENT = 2;
export const NUMBERS_PER_MISS = 6;

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
    numbers[at++] = fdb ? (write.via ?? 0) : 0;
    numbers[at++] = fdb && write.portless === true ? 1 : 0;
    texts.push(write.lladdr, fdb ? (write.vtep ?? '') : write.ip);
  }
  return [numbers, packTexts(texts)];
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
  return [numbers, packTexts(texts)];
}

export function packProbes(probes: readonly Probe[]): Packed {
  const numbers = Uint32Array.from(probes, ({ port }) => port);
  const texts = probes.flatMap(({ ip, lladdr, from }) => [ip, lladdr, from]);
  return [numbers, packTexts(texts)];
}

/** @param numbers overwritten by the next batch */
export function unpackMisses(numbers: Uint32Array, texts: readonly string[], count: number): Miss[] {
  const misses: Miss[] = [];
  let last: Asker | undefined;
  let place = -1;
  for (let index = 0; index < count; index++) {
    const at = index * NUMBERS_PER_MISS;
    const address = texts[index] ?? '';
    const layer = numbers[at] === 3 ? 'l3' : 'l2';
    const ifindex = numbers[at + 1] ?? 0;
    const state = numbers[at + 2] ?? 0;
    const total = numbers[at + 3] ?? 0;
    const port = numbers[at + 4] ?? 0;
    if (port === 0) {
      misses.push({ layer, ifindex, address, state, count: total });
      continue;
    }
    // One guest often asks many questions at once.
    if (numbers[at + 5] !== place || last?.port !== port) {
      place = numbers[at + 5] ?? 0;
      const lladdr = texts[count + 2 * place] ?? '';
      last = { port, lladdr, ip: texts[count + 2 * place + 1] ?? '' };
    }
    misses.push({ layer, ifindex, address, state, count: total, asker: last });
  }
  return misses;
}

/**
 * Collects the garbage of a storm of misses. V8 keeps that garbage until an allocation needs the memory, and after the storm
 * none does. The collection stops the event loop for about 0.1 s, so it waits until few misses come.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { addon } from '../kernel/addon.ts';

/** At most so many misses between two ticks, for so long (ms), count as calm. */
const FEW = 100;
const CALM = 30_000;
/** Growth of the heap that is worth a collection, bytes. The garbage of a start is more. */
const WORTH = 24 * 1024 ** 2;

export class HeapTrim {
  readonly #now: () => number;
  readonly #heap: () => number;
  readonly #collect: () => void;
  #misses = 0;
  #since: number;
  #kept = 0;

  /** @param heap bytes in use @param collect runs a collection */
  constructor(now: () => number, heap = heapTaken, collect = collector()) {
    this.#now = now;
    this.#heap = heap;
    this.#collect = collect;
    this.#since = now();
  }

  /** Called every few seconds. @param misses received so far */
  tick(misses: number): void {
    const came = misses - this.#misses;
    this.#misses = misses;
    if (came > FEW) this.#since = this.#now();
    if (this.#now() - this.#since < CALM || this.#heap() - this.#kept < WORTH) return;
    this.#collect();
    this.#kept = this.#heap();
  }
}

const heapTaken = (): number => process.memoryUsage().heapTotal;

/** V8 defines `gc` only in contexts that are created after the flag is set. */
function collector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  return () => {
    collect();
    addon.trimMemory();
  };
}

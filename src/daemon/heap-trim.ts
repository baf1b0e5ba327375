/**
 * What a storm of misses leaves behind is garbage of its size, and V8 keeps it until something needs the room: nothing
 * does where the storm is over. So it is collected once it has been calm for long; the loop stands still for about a
 * tenth of a second then, and hardly anybody is asking anything.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { addon } from '../kernel/addon.ts';

/** With so few misses between two looks, for so long (ms), it is calm. */
const FEW = 100;
const CALM = 30_000;
/** Growth of the heap that is worth a collection, bytes. What a start leaves is more. */
const WORTH = 24 * 1024 ** 2;

export class HeapTrim {
  readonly #now: () => number;
  readonly #heap: () => number;
  readonly #collect: () => void;
  #misses = 0;
  #since: number;
  #kept = 0;

  /** @param heap bytes taken now @param collect frees what it can of them */
  constructor(now: () => number, heap = heapTaken, collect = collector()) {
    this.#now = now;
    this.#heap = heap;
    this.#collect = collect;
    this.#since = now();
  }

  /** Now and then. @param misses received so far */
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

/** V8 has the function only where the flag is set, and gives it to contexts made from then on. */
function collector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  return () => {
    collect();
    addon.trimMemory();
  };
}

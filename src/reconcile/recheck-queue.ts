import type { Waiting } from '../base/batch-while-busy.ts';
import { Fifo } from '../base/batch-while-busy.ts';
import type { ServedDevice } from '../model/device.ts';
import { FullResync, type Recheck } from './full-resync.ts';

/** Overtaken rechecks are dropped each time the queue has doubled, but not below this size. */
const LEAST_PRUNED = 16_384;

/**
 * Rechecks that wait for the directory, in order. An entry whose record changes again while it waits is read once, because
 * that read returns the newest record. Rechecks of an overtaken resync are dropped. So the queue is bounded by the number of
 * held entries, however long the directory does not answer.
 */
export class RecheckQueue implements Waiting<Recheck> {
  /** Cause, table and key of waiting rechecks, by device. */
  readonly #known = new WeakMap<ServedDevice, Set<string>>();
  #items = new Fifo<Recheck>();
  #pruneAt = LEAST_PRUNED;

  get size(): number {
    return this.#items.size;
  }

  push(recheck: Recheck): void {
    const { device, cause } = recheck;
    if (!(cause instanceof FullResync)) {
      let known = this.#known.get(device);
      if (known === undefined) this.#known.set(device, (known = new Set()));
      const name = nameOf(recheck);
      if (known.has(name)) return;
      known.add(name);
    }
    this.#items.push(recheck);
    if (this.#items.size >= this.#pruneAt) this.#prune();
  }

  take(size: number): Recheck[] {
    const batch = this.#items.take(size);
    for (const recheck of batch) this.#known.get(recheck.device)?.delete(nameOf(recheck));
    return batch;
  }

  readyIn(): number | undefined {
    return this.#items.readyIn();
  }

  #prune(): void {
    const kept = new Fifo<Recheck>();
    for (const recheck of this.#items.take(this.#items.size))
      if (!recheck.device.gone && !isOvertaken(recheck)) kept.push(recheck);
    this.#items = kept;
    this.#pruneAt = Math.max(LEAST_PRUNED, 2 * kept.size);
  }
}

const isOvertaken = ({ cause }: Recheck): boolean => cause instanceof FullResync && cause.overtaken;

const nameOf = ({ cause, table, key }: Recheck): string =>
  `${cause instanceof FullResync ? cause.reason : cause} ${table} ${key}`;

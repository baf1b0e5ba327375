/**
 * What ioredis lacks against a server that is broken or lies, put in where every byte from any server passes: the feed's,
 * the reader's, those to the nodes of a cluster and to sentinels.
 *
 *   1. Whatever it cannot make sense of (a null where it expects a name, say) it throws on a later tick, where nobody can
 *      catch it: the process would end. Here that connection ends instead, and is made again.
 *   2. It keeps what is announced, 512 MB of a value or as many elements as an array says. Here that is bounded.
 *
 * Both methods are ioredis' own, of the version that package.json names; test/unit/directory/redis-guard.test.ts holds it to them.
 */
import { createRequire } from 'node:module';
import { type Bounds, ReplyBound } from './reply-bound.ts';

/** INFO takes some kilobytes, what 100,000 SETs at once are told by some megabytes. */
const BOUNDS: Bounds = { value: 64 * 1024, reply: 64 * 1024 * 1024 };

interface Handler {
  dispatch(act: () => void): void;
  returnFatalError(error: unknown): void;
}

// As ioredis itself loads them.
const load = createRequire(import.meta.url);
const { default: DataHandler } = load('ioredis/built/DataHandler.js') as { default: { prototype: Handler } };

DataHandler.prototype.dispatch = function (this: Handler, act: () => void): void {
  try {
    act();
  } catch (error) {
    this.returnFatalError(error instanceof Error ? error : new Error(String(error)));
  }
};

interface Writable {
  write: (this: Writable, chunk: Buffer) => void;
}

const { Decoder } = load('ioredis/built/resp/decoder.js') as { Decoder: { prototype: Writable } };
const { write } = Decoder.prototype;
const bounds = new WeakMap<Writable, ReplyBound>();

Decoder.prototype.write = function (this: Writable, chunk: Buffer): void {
  let bound = bounds.get(this);
  if (bound === undefined) bounds.set(this, (bound = new ReplyBound(BOUNDS)));
  write.call(this, bound.pass(chunk));
};

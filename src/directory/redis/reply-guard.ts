/**
 * Protects ioredis from malformed replies. It replaces the class that reads the bytes of every connection, including those
 * to cluster nodes and sentinels.
 *
 *   1. ioredis throws on a malformed reply (a null instead of a name, say) on a later tick, where no caller can catch the
 *      error: the process would end. Here the connection ends instead, and ioredis connects again.
 *   2. ioredis reports a reply without a command and reads on: the next command might get the reply to another one. Here
 *      the connection ends, too.
 *   3. ioredis buffers whatever length a reply announces, up to 512 MB. Here values and replies are bounded.
 *   4. ioredis listens to the first error of a socket only. TLS may emit two (an alert, then the lost connection), and the
 *      second would end the process. Here a second error is ignored.
 *
 * ioredis adds its reader with `prependListener`, which does not start the stream, so each chunk would wait for a later
 * tick; the listener here is an ordinary one.
 *
 * These are internal classes of the ioredis version in package.json; test/unit/directory/redis/reply-guard.test.ts checks
 * that they still behave so.
 */
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { AbstractConnector, type Redis } from 'ioredis';
import { type Bounds, ReplyBound } from './reply-bound.ts';

/** INFO has some kilobytes, the invalidations of 100,000 SETs at once some megabytes. */
const BOUNDS: Bounds = { value: 64 * 1024, reply: 64 * 1024 * 1024 };

interface Connection {
  stream: Socket;
  status: string;
  commandQueue: { length: number };
  recoverFromFatalError(because: Error, error: Error, flush: { offlineQueue: boolean }): void;
}

interface Handler {
  dispatch(act: () => void): void;
  returnFatalError(error: Error): void;
  shiftCommand(reply: unknown): unknown;
}

type Chunks = (chunk: Buffer) => void;

/** Bounds of clients that have their own. */
const own = new WeakMap<object, Bounds>();

/** Bounds the replies of a client once it is ready; the handshake before needs the wider default. */
export function boundReplies(client: Redis, bounds: Bounds): void {
  own.set(client, bounds);
}

// ioredis loads this path itself, so both share the module object.
const library = createRequire(import.meta.url)('ioredis/built/DataHandler.js') as {
  default: new (connection: Connection, options: unknown) => Handler;
};

library.default = class extends library.default {
  readonly #connection: Connection;
  readonly #stream: Socket;
  #ended = false;

  constructor(connection: Connection, options: unknown) {
    super(connection, options);
    this.#connection = connection;
    const stream = (this.#stream = connection.stream);
    const bound = new ReplyBound(BOUNDS);
    const ready = own.get(connection) ?? BOUNDS;
    const parsers = stream.listeners('data') as Chunks[];
    stream.removeAllListeners('data');
    stream.on('error', ignore);
    stream.on('data', (chunk) => {
      if (this.#ended) return;
      try {
        bound.bounds = connection.status === 'ready' ? ready : BOUNDS;
        const passed = bound.pass(chunk);
        for (const parse of parsers) parse(passed);
      } catch (error) {
        this.returnFatalError(errorOf(error));
      }
    });
  }

  override dispatch(act: () => void): void {
    if (this.#ended) return;
    try {
      act();
    } catch (error) {
      this.returnFatalError(errorOf(error));
    }
  }

  override shiftCommand(reply: unknown): unknown {
    if (this.#connection.commandQueue.length === 0) throw new Error('malformed reply: to no command');
    return super.shiftCommand(reply);
  }

  override returnFatalError(error: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#connection.recoverFromFatalError(error, error, { offlineQueue: false });
    // The rest of the reply is not read.
    this.#stream.destroy();
  }
};

interface Connector {
  stream?: Socket | undefined;
  disconnect: (this: Connector) => void;
}

const connector = AbstractConnector.prototype as unknown as Connector;
const { disconnect } = connector;

// A connection that is ended while it is being made has no handler yet.
connector.disconnect = function (): void {
  if (this.stream?.listeners('error').includes(ignore) === false) this.stream.on('error', ignore);
  disconnect.call(this);
};

const errorOf = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)));

function ignore(): void {
  // The first error was reported.
}

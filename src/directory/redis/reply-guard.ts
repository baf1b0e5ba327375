/**
 * What ioredis lacks against a server that is broken or lies, put in where the bytes of every connection are read: the feed's,
 * the reader's, those of lookups, to the nodes of a cluster and to sentinels.
 *
 *   1. Whatever it cannot make sense of (a null where it expects a name, say) it throws on a later tick, where nobody can
 *      catch it: the process would end. Here that connection ends instead, and is made again.
 *   2. A reply to no command it reports, and reads on: the next command might have the answer to another one. Here that
 *      connection ends, too.
 *   3. It keeps what is announced, 512 MB of a value or as many elements as an array says. Here that is bounded.
 *
 *   4. It hears of the first error of a socket. TLS may tell of two (what the server said, and that the connection is
 *      gone), and the second one would end the process. Here it is let go by.
 *
 * It also reads by a listener that Node does not count as one (`prependListener`), so that each chunk would wait for a
 * later tick; the listener here is an ordinary one.
 *
 * The classes are ioredis' own, of the version that package.json names; test/unit/directory/redis/reply-guard.test.ts holds it to this.
 */
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { AbstractConnector, type Redis } from 'ioredis';
import { type Bounds, ReplyBound } from './reply-bound.ts';

/** INFO takes some kilobytes, what 100,000 SETs at once are told by some megabytes. */
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

/** Once a client is ready its replies have these bounds; before it is asked for more than it is for. */
export function boundReplies(client: Redis, bounds: Bounds): void {
  own.set(client, bounds);
}

// As ioredis itself loads it.
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
    if (this.#connection.commandQueue.length === 0) throw new Error('malformed reply: to no question');
    return super.shiftCommand(reply);
  }

  override returnFatalError(error: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#connection.recoverFromFatalError(error, error, { offlineQueue: false });
    // The rest of what the server has to say is waited for by nobody.
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
  // The first one has told what there is to know.
}

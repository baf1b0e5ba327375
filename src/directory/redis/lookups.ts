/**
 * A connection to one server for reading values, and nothing else. It does little, so that a lookup on a quiet host takes
 * little longer than its round trip: an idle host runs cold code, where every layer of a client that can do everything costs.
 */
import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectTls, TLSSocket } from 'node:tls';
import type { Values } from '../directory.ts';
import { COMMAND_TIMEOUT, CONNECT_TIMEOUT, SOCKET_TIMEOUT } from './client.ts';
import { Soon } from './soon.ts';
import type { RedisTarget } from './url.ts';
import { type Bounds, ReplyBound } from './reply-bound.ts';
import { encodeCommand, type Reply, ReplyParser } from './resp.ts';

/** How much later than due it may be noticed that an answer is late, ms; one timer serves all questions. */
const TICK = 50;
/** The answer to a full MGET fits in. */
const READ_BUFFER = 64 * 1024;
/** A full MGET of records takes 46 kB; what is cut off would be no record. */
const BOUNDS: Bounds = { value: 256, reply: 1024 * 1024 };
/** Values that are waited for; more is a burst, in which the next batch is better prepared meanwhile. */
const FEW = 8;

interface Asked {
  /** Monotonic ms. */
  at: number;
  /** What was asked is told of it once; later it only keeps the place of its answer. */
  end: ((reply: Reply) => void) | undefined;
}

export class RedisLookups {
  readonly #socket: Socket;
  readonly #buffer = Buffer.allocUnsafeSlow(READ_BUFFER);
  readonly #soon = new Soon();
  /** What comes in by the socket is what the server said; of TLS it is not. */
  readonly #plain: boolean;
  readonly #parser = new ReplyParser((reply) => {
    this.#answer(reply);
  });
  readonly #bound = new ReplyBound(BOUNDS);
  /** In the order of the answers to come. */
  readonly #asked: Asked[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Connected, or a sign of life since; before that when it began to connect. */
  #heardAt = performance.now();
  #connected = false;
  #cause: Error | undefined;
  #answers = 0;

  /**
   * A first question may be asked at once, to learn when it is ready.
   * @param beside a connection to the same server, whose certificate has been checked
   * @param lost is told once why it closed, unless by `close`
   */
  constructor(target: RedisTarget, beside: Socket, lost: (error: Error) => void) {
    this.#plain = target.tls === undefined;
    this.#socket = connect(target, beside, this.#buffer, (bytes) => {
      this.#hear(bytes);
    });
    this.#socket.on(target.tls === undefined ? 'connect' : 'secureConnect', () => {
      this.#connected = true;
      this.#heardAt = performance.now();
      for (const asked of this.#asked) asked.at = this.#heardAt;
    });
    this.#socket.on('error', (error) => (this.#cause ??= error));
    this.#socket.on('close', () => {
      const error = this.#cause ?? closed();
      this.#end(error);
      if (error !== CLOSED_BY_US) lost(error);
    });
    const { username, password, db } = target;
    if (password !== undefined)
      this.#prepare(['AUTH', ...(username === undefined ? [] : [username]), password]);
    if (db !== 0) this.#prepare(['SELECT', String(db)]);
  }

  /** Whether the server has ever answered a question here. */
  get served(): boolean {
    return this.#answers > 0;
  }

  /**
   * Values in the order of the keys.
   * @param urgent waits for them for a moment, see redis-soon.ts
   * @throws what the server says, or that it says nothing, always as a rejection
   */
  mget(keys: readonly string[], urgent = false): Values | Promise<Values> {
    const reply = this.#ask(['MGET', ...keys], urgent && keys.length <= FEW);
    const values = (said: Reply): Values | Promise<Values> => {
      if (said instanceof Error) return Promise.reject(said);
      if (typeof said !== 'string' && said.length === keys.length) return said;
      return Promise.reject(this.#misled());
    };
    return reply instanceof Promise ? reply.then(values) : values(reply);
  }

  /** @throws what the server says, or that it says nothing */
  async ping(): Promise<void> {
    const reply = await this.#ask(['PING']);
    if (reply instanceof Error) throw reply;
    if (reply !== 'PONG') throw this.#misled();
  }

  close(): void {
    this.#destroy(CLOSED_BY_US);
  }

  /** @param soon waits for the reply, where nothing else is being waited for @returns the reply, at once or later */
  #ask(command: string[], soon = false): Reply | Promise<Reply> {
    let end: ((reply: Reply) => void) | undefined;
    let said: Reply | undefined;
    this.#send(command, (reply) => {
      said = reply;
      end?.(reply);
    });
    if (soon && this.#connected && this.#plain && this.#asked.length === 1) this.#hearSoon();
    if (said !== undefined) return said;
    this.#watch();
    return new Promise((resolve) => (end = resolve));
  }

  #hearSoon(): void {
    const length = this.#soon.receive(this.#socket, this.#buffer);
    if (length > 0) this.#hear(this.#buffer.subarray(0, length));
  }

  /** Without it the server would not answer, or from another database. */
  #prepare(command: string[]): void {
    this.#send(command, (reply) => {
      if (reply instanceof Error && !isNeedless(reply)) this.#destroy(reply);
    });
    this.#watch();
  }

  #send(command: string[], end: (reply: Reply) => void): void {
    if (this.#cause !== undefined || this.#socket.destroyed) {
      end(this.#cause ?? closed());
      return;
    }
    this.#asked.push({ at: performance.now(), end });
    this.#socket.write(encodeCommand(command));
  }

  #hear(bytes: Buffer): void {
    this.#heardAt = performance.now();
    try {
      this.#parser.push(this.#bound.pass(bytes));
    } catch (error) {
      this.#destroy(error as Error);
    }
  }

  #answer(reply: Reply): void {
    const asked = this.#asked.shift();
    if (asked === undefined) throw new Error('malformed reply: to no question');
    if (!(reply instanceof Error)) this.#answers++;
    asked.end?.(reply);
  }

  #watch(): void {
    // Timers come before sockets are read. What arrived while this process was busy is read before the server is blamed.
    this.#timer ??= setTimeout(
      () =>
        setImmediate(() => {
          this.#expire();
        }),
      TICK,
    );
  }

  #expire(): void {
    this.#timer = undefined;
    const [first] = this.#asked;
    if (first === undefined) return;
    const now = performance.now();
    if (!this.#connected) {
      if (now - this.#heardAt >= CONNECT_TIMEOUT) this.#destroy(new Error('connect ETIMEDOUT'));
      else this.#watch();
      return;
    }
    for (const asked of this.#asked) {
      if (now - asked.at < COMMAND_TIMEOUT) break;
      asked.end?.(new Error('Command timed out'));
      asked.end = undefined;
    }
    if (now - Math.max(first.at, this.#heardAt) >= SOCKET_TIMEOUT) this.#destroy(new Error('Socket timeout'));
    else this.#watch();
  }

  #misled(): Error {
    const error = new Error('malformed reply: to another question');
    this.#destroy(error);
    return error;
  }

  #destroy(cause: Error): void {
    this.#cause ??= cause;
    this.#socket.destroy();
    this.#end(this.#cause);
  }

  #end(error: Error): void {
    clearTimeout(this.#timer);
    for (const asked of this.#asked.splice(0)) asked.end?.(error);
  }
}

/** What ioredis says too. */
const closed = (): Error => new Error('Connection is closed.');
const CLOSED_BY_US = closed();

/** A password where none is wanted does no harm. */
const isNeedless = (error: Error): boolean =>
  /without any password configured|no password is set/.test(error.message);

function connect(target: RedisTarget, beside: Socket, into: Buffer, hear: (bytes: Buffer) => void): Socket {
  const onread = {
    buffer: into,
    callback: (length: number, buffer: Uint8Array): boolean => {
      hear((buffer as Buffer).subarray(0, length));
      return true;
    },
  };
  const options = { ...addressOf(target, beside), onread, noDelay: true };
  return target.tls === undefined
    ? connectPlain(options)
    : connectTls({ ...options, ...target.tls, ...identityOf(target, beside) });
}

/** The same server, even where a name has several or a sentinel has told which. */
function addressOf({ where }: RedisTarget, beside: Socket) {
  if (where.kind === 'socket') return { path: where.path };
  // With its zone, which the connection does not tell.
  if (where.kind === 'server' && isIP(where.address.host) !== 0) return where.address;
  return { host: beside.remoteAddress ?? '', port: beside.remotePort ?? 0 };
}

/** Of a server its name has to be in the certificate; a sentinel may have told a name that nobody here has heard. */
function identityOf({ where }: RedisTarget, beside: Socket) {
  if (where.kind === 'server')
    return isIP(where.address.host) === 0 ? { servername: where.address.host } : {};
  const checked = beside instanceof TLSSocket ? beside.getPeerCertificate().fingerprint256 : undefined;
  return {
    checkServerIdentity: (_: string, { fingerprint256 }: { fingerprint256: string }) =>
      fingerprint256 === checked ? undefined : new Error('another certificate than a moment ago'),
  };
}

/**
 * One connection of an untrusted peer, between its socket and Node's HTTP server. A request is let through when the request
 * before it is answered and the peer has read the answer. Further requests stay in the kernel's buffer, so a peer occupies
 * the memory of one answer at most.
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** Longest head of a request, bytes; a scraper sends some hundred. */
const MOST_HEAD = 8 * 1024;
/** Longest time from the first byte of a request to its last, ms. */
const REQUEST_TIMEOUT = 5_000;
/** Longest time from the request to the last byte of the answer, ms, for a busy daemon and a slow reader together. */
const ANSWER_TIMEOUT = 20_000;
/** Longest time between two requests, ms: Prometheus scrapes every 15 s to 60 s. */
const IDLE_TIMEOUT = 75_000;

const HEAD_END = '\r\n\r\n';
const NOTHING = Buffer.alloc(0);

export class Connection extends Duplex {
  readonly #socket: Socket;
  /** Bytes that were read from the socket and not passed on yet. */
  #pending: Buffer = NOTHING;
  #deadline: NodeJS.Timeout | undefined;
  #answering = false;
  #ended = false;

  constructor(socket: Socket) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    socket.on('data', (bytes) => {
      this.#onData(bytes);
    });
    socket.once('end', () => {
      this.#ended = true;
      this.#next();
    });
    // The peer closed or reset its own connection; `close` follows.
    socket.on('error', () => undefined);
    socket.once('close', () => this.destroy());
    this.on('error', () => undefined);
    this.#expire(REQUEST_TIMEOUT);
  }

  /** No request is being answered. */
  get idle(): boolean {
    return !this.#answering;
  }

  /** To be called when the whole answer to a request was written. */
  answered(): void {
    this.#answering = false;
    if (!this.destroyed) this.#next();
  }

  #onData(bytes: Buffer): void {
    const first = this.#pending.length === 0;
    this.#pending = first ? bytes : Buffer.concat([this.#pending, bytes]);
    if (this.#answering) {
      this.#socket.pause();
      return;
    }
    if (first) this.#expire(REQUEST_TIMEOUT);
    this.#next();
  }

  /** Passes the next request on, if it is complete. */
  #next(): void {
    if (this.#answering) return;
    const end = this.#pending.indexOf(HEAD_END);
    if (end >= 0 && end <= MOST_HEAD) {
      this.#answering = true;
      this.#expire(ANSWER_TIMEOUT);
      const head = this.#pending.subarray(0, end + HEAD_END.length);
      this.#pending = this.#pending.subarray(head.length);
      this.push(head);
    } else if (this.#pending.length > MOST_HEAD) this.destroy();
    else if (this.#ended) this.push(null);
    else {
      if (this.#pending.length === 0) this.#expire(IDLE_TIMEOUT);
      this.#socket.resume();
    }
  }

  /** Destroys the connection after this time, instead of an earlier deadline. */
  #expire(milliseconds: number): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.destroy(), milliseconds).unref();
  }

  override _read(): void {
    // `#next` pushes the requests.
  }

  override _write(bytes: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#socket.write(bytes, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#deadline);
    this.#socket.destroy();
    done(error);
  }
}

/**
 * One connection of an untrusted peer, between its socket and Node's HTTP server. A request is let through when the request
 * before it is answered and the peer has read the answer. Further requests stay in the kernel's buffer, so a peer occupies
 * the memory of one answer at most.
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** Longest head of a request, bytes; a scraper's has some hundred. */
const MOST_HEAD = 8 * 1024;
/** Longest time from the first byte of a request to its last, ms. */
const TO_SAY = 5_000;
/** Longest time from the request to the last byte of the answer, ms, for a busy daemon and a slow reader together. */
const TO_READ = 20_000;
/** Longest time between two requests, ms: Prometheus scrapes every 15 s to 60 s. */
const TO_REST = 75_000;

const HEAD_END = '\r\n\r\n';
const NOTHING = Buffer.alloc(0);

export class Connection extends Duplex {
  readonly #socket: Socket;
  /** Read from the socket and not passed on yet. */
  #said: Buffer = NOTHING;
  #deadline: NodeJS.Timeout | undefined;
  #answering = false;
  #ended = false;

  constructor(socket: Socket) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    socket.on('data', (bytes) => {
      this.#hear(bytes);
    });
    socket.once('end', () => {
      this.#ended = true;
      this.#next();
    });
    // What happened to it, the peer knows.
    socket.on('error', () => undefined);
    socket.once('close', () => this.destroy());
    this.on('error', () => undefined);
    this.#within(TO_SAY);
  }

  /** No request is being answered. */
  get idle(): boolean {
    return !this.#answering;
  }

  /** The answer to the last request was handed over whole. */
  answered(): void {
    this.#answering = false;
    if (!this.destroyed) this.#next();
  }

  #hear(bytes: Buffer): void {
    const first = this.#said.length === 0;
    this.#said = first ? bytes : Buffer.concat([this.#said, bytes]);
    if (this.#answering) {
      this.#socket.pause();
      return;
    }
    if (first) this.#within(TO_SAY);
    this.#next();
  }

  /** Lets the next request through, if it is there. */
  #next(): void {
    if (this.#answering) return;
    const end = this.#said.indexOf(HEAD_END);
    if (end >= 0 && end <= MOST_HEAD) {
      this.#answering = true;
      this.#within(TO_READ);
      const head = this.#said.subarray(0, end + HEAD_END.length);
      this.#said = this.#said.subarray(head.length);
      this.push(head);
    } else if (this.#said.length > MOST_HEAD) this.destroy();
    else if (this.#ended) this.push(null);
    else {
      if (this.#said.length === 0) this.#within(TO_REST);
      this.#socket.resume();
    }
  }

  #within(milliseconds: number): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.destroy(), milliseconds).unref();
  }

  override _read(): void {
    // What comes is pushed when its turn has come.
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

/** The connections of the HTTP server. Their number is bounded: a new one replaces the connection idle for longest. */
import { type Server as HttpServer } from 'node:http';
import { type Server, type Socket, createServer } from 'node:net';
import { Connection } from './connection.ts';

/** Enough for Prometheus, two probes and some operators; more would occupy descriptors. */
const MOST = 64;

export class Connections {
  readonly server: Server;
  readonly #http: HttpServer;
  readonly #onFull: (most: number) => void;
  /** Ordered by last use, the latest last. */
  readonly #open = new Set<Connection>();

  /**
   * @param http receives the connections, and does not listen itself
   * @param onFull called for each connection that was closed or refused to keep the bound
   */
  constructor(http: HttpServer, onFull: (most: number) => void) {
    this.#http = http;
    this.#onFull = onFull;
    this.server = createServer((socket) => {
      this.#accept(socket);
    });
  }

  get size(): number {
    return this.#open.size;
  }

  /** To be called when the whole answer to a request was written. */
  answered(connection: Connection): void {
    if (this.#open.delete(connection)) this.#open.add(connection);
    connection.answered();
  }

  close(): void {
    this.server.close();
    for (const connection of this.#open) connection.destroy();
  }

  #accept(socket: Socket): void {
    if (this.#open.size >= MOST) {
      this.#onFull(MOST);
      const oldest = [...this.#open].find(({ idle }) => idle);
      if (oldest === undefined) {
        socket.on('error', () => undefined);
        socket.destroy();
        return;
      }
      this.#open.delete(oldest);
      oldest.destroy();
    }
    const connection = new Connection(socket);
    this.#open.add(connection);
    connection.once('close', () => this.#open.delete(connection));
    this.#http.emit('connection', connection);
  }
}

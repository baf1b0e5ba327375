/** A redis-server of the lab on a unix socket, which needs no free port and is reachable from every namespace. */
import { join } from 'node:path';
import { attempt, run } from './command.ts';
import type { Lab } from './lab.ts';
import type { Namespace } from './namespace.ts';
import type { Program } from './program.ts';

export interface RedisServerOptions {
  /** Also listens on TCP, at an address of this namespace. */
  tcp?: { namespace: Namespace; address: string; port: number };
  /** Further arguments of redis-server. */
  args?: readonly string[];
}

export class RedisServer {
  readonly socket: string;
  readonly #lab: Lab;
  readonly #options: RedisServerOptions;
  #program: Program | undefined;

  static async start(lab: Lab, name = 'redis', options: RedisServerOptions = {}): Promise<RedisServer> {
    const redis = new RedisServer(lab, join(lab.directory, `${name}.sock`), options);
    await redis.start();
    return redis;
  }

  private constructor(lab: Lab, socket: string, options: RedisServerOptions) {
    this.#lab = lab;
    this.socket = socket;
    this.#options = options;
  }

  /** Also restarts the server after `stop` or `kill`, on the same socket; it has only the data of an earlier SAVE. */
  async start(): Promise<void> {
    const { tcp, args = [] } = this.#options;
    const nothingOnDisk = ['--save', '', '--appendonly', 'no', '--dir', this.#lab.directory];
    const listen = tcp === undefined ? ['--port', '0'] : ['--bind', tcp.address, '--port', String(tcp.port)];
    const argv = ['redis-server', ...listen, '--unixsocket', this.socket, ...nothingOnDisk, ...args];
    this.#program = await this.#lab.start(tcp === undefined ? argv : tcp.namespace.inside(argv));
    await this.#program.until('redis-server to answer', async () => {
      const { stdout } = await attempt(['redis-cli', '-s', this.socket, 'ping']);
      return stdout.trim() === 'PONG';
    });
  }

  get pid(): number {
    return this.#program?.pid ?? 0;
  }

  /** Runs redis-cli. @returns its output */
  async cli(...words: string[]): Promise<string> {
    return (await run(['redis-cli', '-s', this.socket, ...words])).trim();
  }

  /** Runs many commands in one redis-cli, one per line in its syntax. @returns its output */
  async commands(lines: readonly string[]): Promise<string> {
    return run(['redis-cli', '-s', this.socket], { input: lines.map((line) => `${line}\n`).join('') });
  }

  async stop(): Promise<void> {
    await this.#program?.stop();
  }

  async kill(): Promise<void> {
    await this.#program?.kill();
  }

  signal(signal: NodeJS.Signals): void {
    this.#program?.signal(signal);
  }
}

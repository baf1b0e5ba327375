/** A redis-server of the lab's own, on a unix socket only: no port to collide with, and reachable from any namespace. */
import { join } from 'node:path';
import { attempt, run } from './command.ts';
import type { Lab } from './lab.ts';
import type { Program } from './program.ts';

export class RedisServer {
  readonly socket: string;
  readonly #lab: Lab;
  #program: Program | undefined;

  static async start(lab: Lab, name = 'redis'): Promise<RedisServer> {
    const redis = new RedisServer(lab, join(lab.directory, `${name}.sock`));
    await redis.start();
    return redis;
  }

  private constructor(lab: Lab, socket: string) {
    this.#lab = lab;
    this.socket = socket;
  }

  /** Also after `stop` or `kill`: it comes back empty, at the same place. */
  async start(): Promise<void> {
    const nothingOnDisk = ['--save', '', '--appendonly', 'no', '--dir', this.#lab.directory];
    const argv = ['redis-server', '--port', '0', '--unixsocket', this.socket, ...nothingOnDisk];
    this.#program = await this.#lab.start(argv);
    await this.#program.until('redis-server to answer', async () => {
      const { stdout } = await attempt(['redis-cli', '-s', this.socket, 'ping']);
      return stdout.trim() === 'PONG';
    });
  }

  get pid(): number {
    return this.#program?.pid ?? 0;
  }

  /** redis-cli, as a person would use it; returns what it prints. */
  async cli(...words: string[]): Promise<string> {
    return (await run(['redis-cli', '-s', this.socket, ...words])).trim();
  }

  /** Many commands at once, one per line in redis-cli's own syntax. */
  async commands(lines: readonly string[]): Promise<void> {
    await run(['redis-cli', '-s', this.socket], { input: lines.map((line) => `${line}\n`).join('') });
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

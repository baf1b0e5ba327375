/** A missd process that serves namespaces of the lab from outside. */
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Lab } from './lab.ts';
import { MetricsText } from './metrics-text.ts';
import type { Program } from './program.ts';

/** The built command; the path is the same from src/ and from dist/. */
export const MISSD = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

export interface DaemonOptions {
  /** Namespaces to serve, by name. */
  netns: readonly string[];
  /** Unix socket path or URL. */
  redis?: string;
  /** Path of a directory file, instead of `redis`. */
  directory?: string;
  /** Further flags of `missd run`. */
  flags?: readonly string[];
  env?: Record<string, string>;
  /** Another build's `dist/main.js`. */
  main?: string;
}

/** Longest start, ms: it takes a second of processor time, on a machine with other work. */
const START = 60_000;

export class Daemon {
  readonly program: Program;
  readonly url: string;
  /** Names of the served namespaces, for messages. */
  readonly #where: string;

  /** Starts the daemon without waiting until it is ready; `ready` waits. */
  static async start(lab: Lab, options: DaemonOptions): Promise<Daemon> {
    const listen = `127.0.0.1:${await freePort()}`;
    const argv = [
      process.execPath,
      options.main ?? MISSD,
      'run',
      ...options.netns.flatMap((name) => ['--netns', name]),
    ];
    if (options.redis !== undefined) argv.push('--redis', options.redis);
    if (options.directory !== undefined) argv.push('--directory', options.directory);
    argv.push('--listen', listen, '--log-format', 'json', ...(options.flags ?? []));
    return new Daemon(await lab.start(argv, options.env), `http://${listen}`, options.netns.join(', '));
  }

  private constructor(program: Program, url: string, where: string) {
    this.program = program;
    this.url = url;
    this.#where = where;
  }

  /** Waits until `/readyz` answers 200: entries are adopted and the directory answers. */
  async ready(): Promise<this> {
    await this.program.until(
      `missd on ${this.#where} to be ready`,
      async () => (await this.get('/readyz'))?.status === 200,
      { timeout: START },
    );
    return this;
  }

  /** Waits until the daemon serves HTTP, ready or not. */
  async alive(): Promise<this> {
    await this.program.until(
      `missd on ${this.#where} to serve`,
      async () => (await this.get('/healthz'))?.status === 200,
    );
    return this;
  }

  /** Undefined if the daemon does not answer. */
  async get(path: string): Promise<{ status: number; body: string } | undefined> {
    try {
      const response = await fetch(this.url + path);
      return { status: response.status, body: await response.text() };
    } catch {
      return undefined;
    }
  }

  async metrics(): Promise<MetricsText> {
    const answer = await this.get('/metrics');
    if (answer === undefined)
      throw new Error(`${this.program.toString()} does not answer: ${this.log.slice(-5).join(' | ')}`);
    return new MetricsText(answer.body);
  }

  /** The sum of a metric's samples that have these labels. */
  async metric(name: string, labels?: Record<string, string>): Promise<number> {
    return (await this.metrics()).sum(name, labels);
  }

  get log(): readonly string[] {
    return this.program.lines;
  }

  stop(): Promise<number | string> {
    return this.program.stop();
  }

  kill(): Promise<void> {
    return this.program.kill();
  }
}

/** A TCP port of 127.0.0.1 that is free at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** A redis-server of a test's own: own directory, no persistence, gone with the test. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface RedisServerOptions {
  /** A free one by default. */
  port?: number;
  /** Listen on a socket in the server's directory instead of on a port. */
  unixsocket?: boolean;
  /** Further arguments of redis-server. */
  args?: string[];
  /** Arguments every redis-cli of this server needs, such as `-a` or `--tls`. */
  cliArgs?: string[];
  /** Be a sentinel with these lines of configuration, which it insists on having in a file. */
  sentinel?: string[];
}

export interface RedisServer {
  url: string;
  port: number;
  pid: number;
  /** Deleted at the end. */
  dir: string;
  /** Output of redis-cli without the last newline; rejects when it says ERR and the like. */
  cli(...args: string[]): Promise<string>;
  /** Lines for redis-cli's standard input, one connection for all, such as a transaction. */
  batch(...lines: string[]): Promise<string>;
  /** SIGTERM, and waits for the end. */
  stop(): Promise<void>;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>;
  freeze(): void;
  thaw(): void;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

const running = new Set<() => void>();
process.on('exit', () => {
  for (const end of running) end();
});

export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const dir = mkdtempSync(join(tmpdir(), 'missd-redis-'));
  const port = options.unixsocket === true ? 0 : (options.port ?? (await freePort()));
  const socket = join(dir, 'redis.sock');
  const config = join(dir, 'redis.conf');
  if (options.sentinel !== undefined) writeFileSync(config, `${options.sentinel.join('\n')}\n`);
  // The kernel ends the server when its parent dies without a chance to.
  const child = spawn(
    'setpriv',
    [
      ...['--pdeathsig', 'KILL', 'redis-server'],
      ...(options.sentinel === undefined ? [] : [config, '--sentinel']),
      ...['--port', String(port), '--bind', '127.0.0.1', '--dir', dir],
      ...(options.sentinel === undefined ? ['--save', '', '--appendonly', 'no'] : []),
      ...(options.unixsocket === true ? ['--unixsocket', socket] : []),
      ...(options.args ?? []),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const { pid } = child;
  if (pid === undefined) throw new Error('redis-server could not be started');
  let alive = true;
  const end = (): void => {
    if (alive) process.kill(pid, 'SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  };
  running.add(end);
  const ended = once(child, 'exit').then(() => {
    alive = false;
    rmSync(dir, { recursive: true, force: true });
    running.delete(end);
  });
  await new Promise<void>((resolve, reject) => {
    const said: string[] = [];
    createInterface(child.stdout).on('line', (line) => {
      said.push(line);
      if (/ready to accept connections|Sentinel ID is/i.test(line)) resolve();
    });
    void ended.then(() => {
      reject(new Error(`redis-server ended:\n${said.slice(-20).join('\n')}`));
    });
  });
  const where = options.unixsocket === true ? ['-s', socket] : ['-h', '127.0.0.1', '-p', String(port)];
  const signal = async (name: NodeJS.Signals): Promise<void> => {
    // A frozen process hears of SIGTERM only when it goes on.
    if (alive) {
      process.kill(pid, name);
      process.kill(pid, 'SIGCONT');
    }
    await ended;
  };
  return {
    url: options.unixsocket === true ? socket : `redis://127.0.0.1:${port}`,
    port,
    pid,
    dir,
    cli: async (...args) => {
      const { stdout } = await run('redis-cli', [...where, ...(options.cliArgs ?? []), '-e', ...args]);
      return stdout.replace(/\n$/, '');
    },
    batch: async (...lines) => {
      const asked = run('redis-cli', [...where, ...(options.cliArgs ?? [])]);
      asked.child.stdin?.end(lines.join('\n'));
      return (await asked).stdout;
    },
    stop: () => signal('SIGTERM'),
    kill: () => signal('SIGKILL'),
    freeze: () => process.kill(pid, 'SIGSTOP'),
    thaw: () => process.kill(pid, 'SIGCONT'),
  };
}

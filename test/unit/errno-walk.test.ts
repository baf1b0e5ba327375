/**
 * Each part that talks to something outside meets each errno that outside has for it: none of it comes to the process as
 * an exception that nobody caught, and the part goes on.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  type FSWatcher,
  chmodSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import type { Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { type SchedulerAction, type SchedulerLike, asyncScheduler } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CONTROL_SUFFIX, listenControl } from '../../src/daemon/control-server.ts';
import { FileDirectory, type FileDirectoryOptions } from '../../src/directory/file/file-directory.ts';
import { readDirectoryFile } from '../../src/directory/file/records.ts';
import { redisClient } from '../../src/directory/redis/client.ts';
import { RedisFeed } from '../../src/directory/redis/feed.ts';
import { RedisLookups } from '../../src/directory/redis/lookups.ts';
import { listen } from '../../src/observe/http/server.ts';
import { runNft } from '../../src/kernel/nft/nft.ts';
import { openLog } from '../../src/base/log.ts';
import { LogOutput } from '../../src/base/log-output.ts';
import { Metrics } from '../../src/observe/metrics/metrics.ts';
import { identify } from '../../src/links/netns-watch.ts';
import { Notifier } from '../../src/service/notify.ts';
import { daemonOnFakes } from './fake/daemon.ts';
import { redisServer } from './fake/redis-server.ts';

const ERRNOS = ['EMFILE', 'ENFILE', 'ENOSPC', 'ENOMEM', 'EPIPE', 'ECONNRESET', 'EIO'] as const;
type Failure = NodeJS.ErrnoException;

let folder: string;
/** Ends what a case has begun, the last first. */
let endings: (() => unknown)[];
let uncaught: unknown[];
const note = (error: unknown): void => {
  uncaught.push(error);
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'missd-errno-'));
  endings = [];
  uncaught = [];
  // The test runner has listeners of its own, which would fail the run without naming a test.
  process.prependListener('uncaughtException', note);
  process.prependListener('unhandledRejection', note);
});
afterEach(async () => {
  for (const end of endings.reverse()) await end();
  // Rejections that nobody waits for are told after the turn in which they arise.
  for (let n = 0; n < 3; n++) await turn();
  process.removeListener('uncaughtException', note);
  process.removeListener('unhandledRejection', note);
  rmSync(folder, { recursive: true });
  expect(uncaught).toEqual([]);
});

/** What Node makes from now on that it tells of on a channel (node:diagnostics_channel), the latest last. */
function made<T>(channel: string, property: string): T[] {
  const all: T[] = [];
  const add = (message: unknown): void => {
    all.push((message as Record<string, T>)[property] as T);
  };
  subscribe(channel, add);
  endings.push(() => unsubscribe(channel, add));
  return all;
}

function last<T>(all: readonly T[]): T {
  const one = all.at(-1);
  if (one === undefined) throw new Error('nothing was made');
  return one;
}

/** An answer's code from an HTTP server. */
async function ask(where: { port: number } | { socketPath: string }): Promise<number | undefined> {
  const asked = request({ host: '127.0.0.1', path: '/healthz', agent: false, ...where }).end();
  const [response] = (await once(asked, 'response')) as [NodeJS.ReadableStream & { statusCode?: number }];
  response.resume();
  return response.statusCode;
}

/** Of the connections that a server took. */
const serverOf = (socket: Socket): Server => (socket as Socket & { server: Server }).server;

/** A program named nft that says what it is told, and the processes that are started. */
function echoingNft(): ChildProcess[] {
  writeFileSync(join(folder, 'nft'), '#!/bin/sh\nexec /bin/cat\n');
  chmodSync(join(folder, 'nft'), 0o755);
  const { PATH } = process.env;
  process.env['PATH'] = folder;
  endings.push(() => (process.env['PATH'] = PATH));
  return made<ChildProcess>('child_process', 'process');
}

async function nftMeets(error: Failure, where: (child: ChildProcess) => NodeJS.EventEmitter | null) {
  const children = echoingNft();
  const ended = runNft(null, 'list tables\n').catch((reason: unknown) => reason);
  where(last(children))?.emit('error', error);
  const said = await ended;
  expect(await runNft(null, 'next\n')).toBe('next\n');
  return said;
}

async function redis(): Promise<{ path: string; sockets: Socket[] }> {
  const path = join(folder, 'redis.sock');
  const peers: Socket[] = [];
  const server = redisServer((socket) => peers.push(socket));
  await once(server.listen(path), 'listening');
  endings.push(() => {
    for (const peer of peers) peer.destroy();
    server.close();
  });
  return { path, sockets: made<Socket>('net.client.socket', 'socket') };
}

const RECORDS =
  'vnis:\n  100:\n    endpoints:\n      - { ip: 20.0.0.2, mac: "02:42:14:00:00:02", vtep: 10.99.0.2 }\n';

/** Where a second is 50 ms. */
const HASTY: SchedulerLike = {
  now: () => asyncScheduler.now(),
  schedule: <T>(work: (this: SchedulerAction<T>, state?: T) => void, delay = 0, state?: T) =>
    asyncScheduler.schedule(work, delay / 20, state),
};

/** A file directory that is read, and stays up and follows its file whatever it is told by what it is built on. */
async function fileMeets(
  options: Partial<FileDirectoryOptions>,
  happens: (file: string) => void = () => undefined,
): Promise<void> {
  const file = join(folder, 'directory.yaml');
  writeFileSync(file, RECORDS);
  const directory = new FileDirectory({
    file,
    scheduler: HASTY,
    read: (path) => Promise.resolve().then(() => readDirectoryFile(path)),
    ...options,
  });
  endings.push(() => directory.close());
  const key = (host: number) => ({ vni: 100, kind: 'ip', address: `20.0.0.${host}` }) as const;
  await directory.follow(new Set([100]));
  directory.start();
  await vi.waitFor(async () => {
    expect(await directory.read([key(2)])).toEqual(['02:42:14:00:00:02 10.99.0.2']);
  }, 20_000);
  happens(file);
  expect(await directory.read([key(2)])).toEqual(['02:42:14:00:00:02 10.99.0.2']);
  writeFileSync(file, RECORDS.replace('20.0.0.2', '20.0.0.3'));
  await vi.waitFor(async () => {
    expect(await directory.read([key(3)])).toEqual(['02:42:14:00:00:02 10.99.0.2']);
  }, 20_000);
}

const PLACES: Record<string, (error: Failure, errno: string) => Promise<void> | void> = {
  'nft, that is not started': async (error, errno) => {
    const busy = ['EMFILE', 'ENFILE', 'ENOMEM'].includes(errno);
    const said = await nftMeets(error, (child) => child);
    expect(String(said)).toMatch(busy ? `NftBusy: nft cannot be started: ${errno}` : errno);
  },
  'standard input of nft': async (error) => {
    await nftMeets(error, ({ stdin }) => stdin);
  },
  'standard output of nft': async (error) => {
    await nftMeets(error, ({ stdout }) => stdout);
  },
  'standard error of nft': async (error) => {
    await nftMeets(error, ({ stderr }) => stderr);
  },

  'the socket of lookups': async (error, errno) => {
    const { path, sockets } = await redis();
    const lost: string[] = [];
    const target = { where: { kind: 'socket', path }, db: 0, name: path } as const;
    let ready = 0;
    const lookups = new RedisLookups(target, {
      ready: () => ready++,
      lost: (reason) => lost.push((reason as Error).message),
    });
    endings.push(() => {
      lookups.close();
    });
    lookups.start();
    await vi.waitFor(() => {
      expect(ready).toBe(1);
    }, 20_000);
    const asked = lookups.mget(['key']).catch((reason: unknown) => reason);
    last(sockets).destroy(error);
    expect(await asked).toBeInstanceOf(Error);
    await expect(lookups.mget(['key'])).rejects.toThrow();
    expect(lost).toEqual([errno]);
    await vi.waitFor(() => {
      expect(ready).toBe(2);
    }, 20_000);
    expect(await lookups.mget(['key'])).toEqual([null]);
  },

  'the socket of the feed': async (error) => {
    const { path, sockets } = await redis();
    const heard = { armed: 0, lost: [] as unknown[] };
    const feed = new RedisFeed(
      (retryStrategy) =>
        redisClient({ where: { kind: 'socket', path }, db: 0, name: path }, { retryStrategy }),
      () => ({ prefixes: ['missd:{'], channels: new Set<string>() }),
      {
        armed: () => heard.armed++,
        lost: (reason) => heard.lost.push(reason),
        keys: () => undefined,
        flushed: () => undefined,
        message: () => undefined,
      },
      asyncScheduler,
    );
    endings.push(() => {
      feed.close();
    });
    feed.start();
    await vi.waitFor(() => {
      expect(heard.armed).toBe(1);
    }, 20_000);
    last(sockets).destroy(error);
    await vi.waitFor(() => {
      expect(heard.armed).toBe(2);
    }, 20_000);
    expect(heard.lost).toEqual([error]);
  },

  'the HTTP address, that takes no connection': async (error) => {
    const daemon = daemonOnFakes();
    const service = await listen({ host: '127.0.0.1', port: 0 }, daemon, new Metrics());
    endings.push(() => {
      service.close();
    });
    const sockets = made<Socket>('net.server.socket', 'socket');
    expect(await ask(service)).toBe(200);
    serverOf(last(sockets)).emit('error', error);
    expect(daemon.counters.httpRefusals.error).toBe(1);
    expect(await ask(service)).toBe(200);
  },

  'a connection to the HTTP address': async (error) => {
    const service = await listen({ host: '127.0.0.1', port: 0 }, daemonOnFakes(), new Metrics());
    endings.push(() => {
      service.close();
    });
    // In the turn in which it is taken, when its request is not there yet, and in one in which it is being answered.
    for (const channel of ['net.server.socket', 'http.server.request.start']) {
      const sockets = made<Socket>('net.server.socket', 'socket');
      const breaking = (): void => {
        queueMicrotask(() => last(sockets).destroy(error));
      };
      subscribe(channel, breaking);
      await expect(ask(service)).rejects.toThrow();
      unsubscribe(channel, breaking);
    }
    expect(await ask(service)).toBe(200);
  },

  'the control socket': async (error, errno) => {
    const failed: string[] = [];
    const sockets = made<Socket>('net.server.socket', 'socket');
    const listening = listenControl(
      folder,
      { flush: () => Promise.resolve([]), leave: () => Promise.resolve(undefined) },
      (reason) => failed.push(reason),
    );
    endings.push(await listening);
    const socketPath = join(folder, readdirSync(folder).find((name) => name.endsWith(CONTROL_SUFFIX)) ?? '');
    expect(await ask({ socketPath })).toBe(404);
    const server = serverOf(last(sockets));
    server.emit('error', error);
    expect(failed).toEqual([expect.stringContaining(errno)]);
    server.once('connection', (socket: Socket) => socket.destroy(error));
    await expect(ask({ socketPath })).rejects.toThrow();
    expect(await ask({ socketPath })).toBe(404);
  },

  'the log': (error, errno) => {
    let broken = true;
    let written = '';
    const output = new LogOutput((bytes) => {
      if (broken) throw error;
      written += Buffer.from(bytes).toString();
      return bytes.length;
    });
    const log = openLog({ logLevel: 'info', logFormat: 'json' }, output);
    log.info('one');
    broken = false;
    log.info('two');
    expect(written).toMatch(new RegExp(`two[^]*1 line.*${errno}`));
    expect(output.lost).toBe(1);
  },

  'the watch of the directory file, that is not made': (error) =>
    fileMeets({
      watch: () => {
        throw error;
      },
    }),
  'the watch of the directory file, that breaks': (error) => {
    let watcher: FSWatcher | undefined;
    const options: Partial<FileDirectoryOptions> = {
      watch: (path, changed) => (watcher = watch(path, changed)),
    };
    return fileMeets(options, () => watcher?.emit('error', error));
  },
  'the directory file, that cannot be read for a while': async (error, errno) => {
    const rejected: string[] = [];
    let failures = 0;
    await fileMeets({
      read: (path) =>
        failures++ === 1 ? Promise.reject(error) : Promise.resolve().then(() => readDirectoryFile(path)),
      onRejected: (reason) => rejected.push(reason),
    });
    expect(rejected).toEqual([errno]);
  },
  'the directory file, that cannot be looked at for a while': async (error) => {
    let looks = 0;
    await fileMeets({
      stat: (path) => {
        if (looks++ === 1) throw error;
        return statSync(path, { bigint: true });
      },
    });
  },

  'the path of a namespace': (error, errno) => {
    const failing = identify('/run/netns/any', () => {
      throw error;
    });
    expect(failing).toEqual({ reason: expect.stringContaining(errno) as string, unknown: true });
  },

  'the socket of the service manager': (error) => {
    let broken = true;
    const told: string[] = [];
    const notifier = Notifier.take({ NOTIFY_SOCKET: '@missd' }, (_socket, text) => {
      if (broken) throw error;
      told.push(text);
    });
    notifier?.tell({ READY: '1' });
    broken = false;
    notifier?.tell({ WATCHDOG: '1' });
    expect(told).toEqual(['READY=1\nWATCHDOG=1']);
  },
};

describe.each(Object.entries(PLACES))('%s', (_place, meets) => {
  it.each(ERRNOS)(
    'meets %s and goes on',
    async (errno) => {
      await meets(Object.assign(new Error(errno), { code: errno }), errno);
      expect(uncaught).toEqual([]);
    },
    60_000,
  );
});

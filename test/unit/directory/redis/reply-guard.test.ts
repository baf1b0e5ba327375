import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import type { Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asyncScheduler } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { redisClient } from '../../../../src/directory/redis/client.ts';
import { RedisFeed } from '../../../../src/directory/redis/feed.ts';
import { redisServer } from '../../fake/redis-server.ts';

/** Answers so that a feed is armed; what it says besides is the test's. */
let server: Server;
let directory: string;
let path: string;
let subscribed: Socket[];
let uncaught: unknown[];
const note = (error: unknown): void => {
  uncaught.push(error);
};

beforeEach(async () => {
  subscribed = [];
  uncaught = [];
  // The test runner has listeners of its own, which would fail the run without naming a test.
  process.prependListener('uncaughtException', note);
  directory = mkdtempSync(join(tmpdir(), 'missd-guard-'));
  path = join(directory, 'redis.sock');
  server = redisServer((socket) => subscribed.push(socket));
  await new Promise<void>((resolve) => server.listen(path, resolve));
});
afterEach(() => {
  process.removeListener('uncaughtException', note);
  for (const socket of subscribed) socket.destroy();
  server.close();
  rmSync(directory, { recursive: true });
});

interface Heard {
  armed: number;
  lost: string[];
  keys: string[][];
  flushed: number;
}

async function withFeed(act: (heard: Heard) => Promise<void>): Promise<void> {
  const heard: Heard = { armed: 0, lost: [], keys: [], flushed: 0 };
  const feed = new RedisFeed(
    (retryStrategy) => redisClient({ where: { kind: 'socket', path }, db: 0, name: path }, { retryStrategy }),
    () => ({ prefixes: ['missd:{'], channels: new Set<string>() }),
    {
      armed: () => heard.armed++,
      lost: (error) => heard.lost.push(String(error)),
      keys: (keys) => heard.keys.push(keys.map((key) => key.toString())),
      flushed: () => heard.flushed++,
      message: () => undefined,
    },
    asyncScheduler,
  );
  feed.start();
  try {
    await vi.waitFor(() => {
      expect(heard.armed).toBe(1);
    }, 10_000);
    await act(heard);
  } finally {
    feed.close();
  }
  expect(uncaught).toEqual([]);
}

const invalidation = (payload: string): string =>
  `*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n${payload}`;

it.each(['while it is in use', 'while it is being ended'])(
  'a socket that emits two errors %s ends one connection',
  async (when) => {
    const client = redisClient({ where: { kind: 'socket', path }, db: 0, name: path });
    const errors: unknown[] = [];
    client.on('error', (error: unknown) => errors.push(error));
    await client.connect();
    const { stream } = client;
    if (when !== 'while it is in use') client.disconnect();
    const [first, second] = [new Error('first'), new Error('second')];
    stream.emit('error', first);
    expect(() => stream.emit('error', second)).not.toThrow();
    expect(errors).toEqual([first]);
    client.disconnect();
  },
);

it('a connection that ends before it is established may also emit two errors', async () => {
  const client = redisClient({ where: { kind: 'socket', path }, db: 0, name: path });
  client.on('error', () => undefined);
  const connected = client.connect().catch(() => undefined);
  await vi.waitFor(() => {
    expect(client.stream).toBeDefined();
  });
  client.disconnect();
  for (let n = 0; n < 2; n++) expect(() => client.stream.emit('error', new Error('late'))).not.toThrow();
  await connected;
});

describe('the feed of a faulty server', () => {
  it.each([
    ['a key that is none', invalidation('*1\r\n$-1\r\n')],
    ['a number for a key', invalidation('*1\r\n:5\r\n')],
    ['keys within a key', invalidation('*1\r\n*1\r\n$3\r\nabc\r\n')],
    ['a number for the keys', invalidation(':7\r\n')],
    ['text for the keys', invalidation('$3\r\nabc\r\n')],
    ['an error for the keys', invalidation('-ERR x\r\n')],
    ['a message without a name', '*1\r\n$-1\r\n'],
    ['a message of nothing', '*0\r\n'],
    ['a message that ends too early', '*1\r\n$7\r\nmessage\r\n'],
    ['a subscription without a name', '*2\r\n$9\r\nsubscribe\r\n$-1\r\n'],
    ['more elements than there can be', '*4294967296\r\n'],
    ['a value larger than there can be', '$99999999999\r\n'],
    ['arrays without end in each other', '*1\r\n'.repeat(10_000)],
    ['a line without end', `+${'x'.repeat(100_000)}`],
  ])(
    'ends and starts again after %s',
    async (_, said) => {
      await withFeed(async (heard) => {
        subscribed[0]?.write(said);
        await vi.waitFor(() => {
          expect(heard.armed).toBeGreaterThan(1);
        }, 20_000);
        expect(heard.lost.length).toBeGreaterThan(0);
        subscribed.at(-1)?.write(invalidation('*1\r\n$3\r\nabc\r\n'));
        await vi.waitFor(() => {
          expect(heard.keys).toContainEqual(['abc']);
        }, 10_000);
      });
    },
    60_000,
  );

  it('goes on after a key of a megabyte, without keeping it', async () => {
    await withFeed(async (heard) => {
      const long = Buffer.alloc(1_000_000, 'k');
      subscribed[0]?.write(invalidation(`*2\r\n$${long.length}\r\n`));
      subscribed[0]?.write(long);
      subscribed[0]?.write('\r\n$3\r\nabc\r\n');
      await vi.waitFor(() => {
        expect(heard.keys).toHaveLength(1);
      }, 20_000);
      expect(heard.keys[0]?.[1]).toBe('abc');
      expect(heard.keys[0]?.[0]).toHaveLength(64 * 1024);
      expect(heard.lost).toEqual([]);
    });
  }, 60_000);

  it('survives any bytes', async () => {
    await withFeed(async (heard) => {
      for (let round = 0; round < 30; round++) {
        const before = subscribed.length;
        // A beginning that makes sense, so that more is looked at than the first byte.
        const heads = ['', '*3\r\n$7\r\nmessage\r\n', invalidation(''), '*2\r\n', '$', ':'];
        const socket = subscribed.at(-1);
        socket?.write(Buffer.concat([Buffer.from(heads[round % heads.length] ?? ''), randomBytes(300)]));
        socket?.end();
        await vi.waitFor(() => {
          expect(subscribed.length).toBeGreaterThan(before);
        }, 10_000);
      }
      expect(heard.armed).toBeGreaterThan(1);
    });
  }, 120_000);
});

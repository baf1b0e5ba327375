/** Lookups on a server in this process that says what each test has it say. */
import { once } from 'node:events';
import { type Server, type Socket, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RedisLookups } from '../../../../src/directory/redis/lookups.ts';
import { LONGEST_READ } from '../../../../src/directory/redis/oversized.ts';
import { isOversized, isTimeout } from '../../../../src/directory/redis/reason.ts';

/** Ten times what it takes on a quiet machine. */
const SOON = 5_000;
/** What a lookup may take at the most, ms, and what a machine that is busy adds to it. */
const DEADLINE = 250;
const BUSY = 500;

let server: Server;
let connections: Socket[];
let lookups: RedisLookups;
let ready: number;
let lost: unknown[];
/** What MGET is answered with; nothing where it is empty. */
let reply: string;

const bulk = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
const array = (...values: string[]): string => `*${values.length}\r\n${values.map(bulk).join('')}`;

beforeEach(async () => {
  [connections, lost, ready, reply] = [[], [], 0, array('a')];
  const path = `\0missd-lookups-${process.pid}-${performance.now()}`;
  server = createServer((socket) => {
    connections.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      for (const [command] of bytes.toString().matchAll(/(?<=\r\n)(mget|ping)(?=\r\n)/gi))
        socket.write(command.toLowerCase() === 'ping' ? '+PONG\r\n' : reply);
    });
  }).listen(path);
  await once(server, 'listening');
  const target = { where: { kind: 'socket', path }, db: 0, name: 'test' } as const;
  lookups = new RedisLookups(target, { ready: () => ready++, lost: (error) => lost.push(error) });
  lookups.start();
  await isReady(1);
});
afterEach(() => {
  lookups.close();
  for (const one of connections) one.destroy();
  server.close();
});

const isReady = (times: number): Promise<void> =>
  vi.waitFor(() => {
    expect(ready).toBe(times);
  }, SOON);

describe('values', () => {
  it('are those of the keys, in their order', async () => {
    reply = `*3\r\n${bulk('zwölf')}$-1\r\n${bulk('')}`;
    expect(await lookups.mget(['one', 'none', 'empty'])).toEqual(['zwölf', null, '']);
  });

  it.each([
    ['of one byte a character', 'A'],
    ['of two', 'é'],
    ['of three', '€'],
    ['of four', '😀'],
  ])('%s that are too long are recognized by the bytes that are read', async (_, character) => {
    reply = array(character.repeat(100_000));
    const [value] = await lookups.mget(['long']);
    expect(value?.length).toBeGreaterThanOrEqual(LONGEST_READ);
    expect(Buffer.byteLength(value ?? '')).toBeLessThan(4 * LONGEST_READ);
    expect(lost).toEqual([]);
  });
});

describe('a silent server', () => {
  it('fails all lookups in flight in time, with one timer', async () => {
    reply = '';
    const timers = vi.spyOn(globalThis, 'setTimeout');
    const began = performance.now();
    const asked = await Promise.allSettled(Array.from({ length: 100 }, (_, n) => lookups.mget([`key ${n}`])));
    const took = performance.now() - began;
    // Those of ioredis: one for the socket.
    expect(timers.mock.calls.length).toBeLessThan(10);
    timers.mockRestore();
    expect(asked.every((one) => one.status === 'rejected' && isTimeout(one.reason))).toBe(true);
    expect(took).toBeGreaterThan(199);
    expect(took).toBeLessThan(DEADLINE + BUSY);
  });

  it('for half a second is asked again on another connection', async () => {
    reply = '';
    await expect(lookups.mget(['one'])).rejects.toThrow('timed out');
    await isReady(2);
    expect(lost.map(String)).toEqual([expect.stringContaining('Socket timeout')]);
    reply = array('a');
    expect(await lookups.mget(['one'])).toEqual(['a']);
  });

  it('that answers late does not answer another question', async () => {
    reply = '';
    await expect(lookups.mget(['one'])).rejects.toThrow('timed out');
    const other = lookups.mget(['other']);
    connections[0]?.write(array('late') + array('other'));
    expect(await other).toEqual(['other']);
    expect(lost).toEqual([]);
  });
});

describe('a server that answers', () => {
  it('with an error is asked again on the same connection', async () => {
    reply = '-NOPERM no\r\n';
    await expect(lookups.mget(['one'])).rejects.toThrow('NOPERM no');
    reply = array('a');
    expect(await lookups.mget(['one'])).toEqual(['a']);
    expect(lost).toEqual([]);
  });

  it.each([
    ['more than it was asked', array('a', 'b')],
    ['less', '*0\r\n'],
    ['no values', '+PONG\r\n'],
    ['nothing at all', '*-1\r\n'],
    ['numbers', '*1\r\n:1\r\n'],
    ['an error for a value', '*1\r\n-ERR inside\r\n'],
    ['values in values', '*1\r\n*1\r\n$1\r\na\r\n'],
    ['what Redis never says', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['the answer twice', array('a').repeat(2)],
  ])('%s loses the connection, and the next lookup uses another one', async (_, said) => {
    reply = said;
    await lookups.mget(['one']).catch(() => undefined);
    await isReady(2);
    expect(String(lost[0])).toMatch(/malformed reply/);
    reply = array('a');
    expect(await lookups.mget(['one'])).toEqual(['a']);
    expect(lost).toHaveLength(1);
  });

  it('without a question loses the connection', async () => {
    connections[0]?.write(array('x'));
    await isReady(2);
    expect(await lookups.mget(['one'])).toEqual(['a']);
  });

  it.each([
    ['a value that is announced', '*1\r\n$500000000\r\n'],
    ['values that are announced', '*1048577\r\n'],
    ['many values', array(...Array<string>(20).fill('A'.repeat(60_000)))],
  ])('with too much (%s) is disconnected at once, and asked again at once', async (_, said) => {
    reply = said;
    const began = performance.now();
    const refused: unknown = await lookups.mget(['one']).catch((error: unknown) => error);
    expect(isOversized(refused)).toBe(true);
    // The event that says so comes later.
    expect(lookups.isReady).toBe(false);
    await isReady(2);
    expect(performance.now() - began).toBeLessThan(BUSY);
    expect(lost.every(isOversized)).toBe(true);
  });

  it('by closing the connection again and again is asked less and less often', async () => {
    server.removeAllListeners('connection').on('connection', (socket: Socket) => {
      connections.push(socket);
      socket.on('error', () => undefined).end();
    });
    const began = performance.now();
    connections[0]?.destroy();
    // At once, after 100 ms at the least, and after 200.
    await vi.waitFor(() => {
      expect(connections.length).toBeGreaterThan(3);
    }, SOON);
    expect(performance.now() - began).toBeGreaterThan(300);
  });
});

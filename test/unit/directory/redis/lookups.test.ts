import { once } from 'node:events';
import { createServer, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RedisLookups } from '../../../../src/directory/redis/lookups.ts';
import { Soon } from '../../../../src/directory/redis/soon.ts';

/** A connection to a server in this process: what it says before it is asked is there when it is asked. */
let lookups: RedisLookups;
let server: Socket;
let lost: Error[];

beforeEach(async () => {
  lost = [];
  const path = `\0missd-lookups-${process.pid}-${performance.now()}`;
  const listening = createServer().listen(path);
  await once(listening, 'listening');
  const accepted = once(listening, 'connection') as Promise<[Socket]>;
  const where = { kind: 'socket', path } as const;
  lookups = new RedisLookups({ where, db: 0, name: 'test' }, new Socket(), (error) => lost.push(error));
  [server] = await accepted;
  listening.close();
  server.on('error', () => undefined).resume();
  server.write('+PONG\r\n');
  await lookups.ping();
});
afterEach(() => {
  lookups.close();
  server.destroy();
});

describe('an urgent question', () => {
  it('has its answer at once where that is there', () => {
    server.write('*2\r\n$1\r\na\r\n$-1\r\n');
    expect(lookups.mget(['one', 'other'], true)).toEqual(['a', null]);
  });

  it('has it later where it comes later, and whole where it comes in parts', async () => {
    const late = lookups.mget(['one'], true);
    expect(late).toBeInstanceOf(Promise);
    server.write('*1\r\n$1\r\na\r\n');
    expect(await late).toEqual(['a']);
  });

  it('whose answer is cut in two has it whole when the rest has come', async () => {
    server.write('*1\r\n$4\r\nab');
    const parts = lookups.mget(['one'], true);
    expect(parts).toBeInstanceOf(Promise);
    server.write('cd\r\n');
    expect(await parts).toEqual(['abcd']);
  });

  it('behind another one waits for its turn', async () => {
    const first = lookups.mget(['one']);
    server.write('*1\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n');
    const second = lookups.mget(['other'], true);
    expect(second).toBeInstanceOf(Promise);
    expect(await Promise.all([first, second])).toEqual([['a'], ['b']]);
  });

  it('fails as any other where the server refuses, says nonsense or has gone', async () => {
    server.write('-NOPERM no\r\n');
    await expect(lookups.mget(['one'], true)).rejects.toThrow('NOPERM no');
    server.end();
    await expect(lookups.mget(['one'], true)).rejects.toThrow('Connection is closed.');
    expect(lost.map(String)).toEqual(['Error: Connection is closed.']);
  });

  it('and the connection end where the answer is to another question', async () => {
    server.write('*2\r\n$1\r\na\r\n$1\r\nb\r\n');
    await expect(lookups.mget(['one'], true)).rejects.toThrow('to another question');
    await expect(lookups.mget(['one'], true)).rejects.toThrow('to another question');
  });
});

describe('waiting for what is all but there', () => {
  it('rests after it was in vain, longer each time, and no more once it was not', async () => {
    let time = 0;
    const soon = new Soon(() => time);
    const buffer = Buffer.alloc(100);
    const path = `\0missd-soon-${process.pid}`;
    const listening = createServer().listen(path);
    await once(listening, 'listening');
    const accepted = once(listening, 'connection') as Promise<[Socket]>;
    const socket = new Socket().pause().connect(path);
    const [peer] = await accepted;
    const receives = (): number => soon.receive(socket, buffer);

    expect(receives()).toBe(0);
    peer.write('abc');
    expect([receives(), ((time = 99), receives()), ((time = 100), receives())]).toEqual([0, 0, 3]);
    expect(buffer.toString('utf8', 0, 3)).toBe('abc');

    expect([receives(), ((time = 200), receives())]).toEqual([0, 0]);
    peer.write('abc');
    expect([((time = 399), receives()), ((time = 400), receives())]).toEqual([0, 3]);
    socket.destroy();
    peer.destroy();
    listening.close();
    expect(receives()).toBe(0);
  });
});

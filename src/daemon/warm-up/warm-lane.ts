/** The lane of lookups for the warm-up: the real one, to a server in this very process that has each answer ready before it is asked. */
import { once } from 'node:events';
import { createServer, Socket } from 'node:net';
import type { Directory, RecordKey } from '../../directory/directory.ts';
import { RedisKeys } from '../../directory/redis/keys.ts';
import { RedisLookups } from '../../directory/redis/lookups.ts';

export interface WarmLane {
  read: Directory['read'];
  close(): void;
}

/** @param valueOf a record's value, null for none @throws Error where a process may not talk to itself */
export async function openWarmLane(valueOf: (key: RecordKey) => string | null): Promise<WarmLane> {
  const keys = new RedisKeys('missd');
  // Abstract: no file, and gone with the process.
  const path = `\0missd-warm-up-${process.pid}`;
  const server = createServer();
  server.on('error', () => undefined);
  server.listen(path);
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const where = { kind: 'socket', path } as const;
  const lookups = new RedisLookups({ where, db: 0, name: 'warm-up' }, new Socket(), () => undefined);
  const [peer] = await accepted;
  peer.on('error', () => undefined);
  server.close();
  // What it is asked it knows.
  peer.resume();
  peer.write('+PONG\r\n');
  await lookups.ping();
  return {
    read: (asked, urgent) => {
      let reply = `*${asked.length}\r\n`;
      for (const key of asked) {
        const value = valueOf(key);
        reply += value === null ? '$-1\r\n' : `$${value.length}\r\n${value}\r\n`;
      }
      peer.write(reply);
      return lookups.mget(
        asked.map((key) => keys.record(key)),
        urgent,
      );
    },
    close: () => {
      lookups.close();
      peer.destroy();
    },
  };
}

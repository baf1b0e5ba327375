/**
 * Requests of root to a running daemon: an HTTP server on a unix socket in the state folder, which only root may enter.
 *
 *   POST /flush {"namespace": inode, "devices": [names, or none for all], "all": whether every extern_learn row goes}
 */
import { rmSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type Server, createServer } from 'node:http';
import { join } from 'node:path';
import { reasonOf } from '../base/errors.ts';
import type { Flushed } from '../entries/flush.ts';

/** Ends the names of the sockets in the state folder. */
export const CONTROL_SUFFIX = '.sock';
/** Longest request body, bytes. */
const LONGEST = 65_536;

export interface FlushRequest {
  /** Inode of the namespace. */
  namespace: number;
  /** Names; empty for all served devices. */
  devices: string[];
  /** Whether foreign `extern_learn` rows are removed as well. */
  all: boolean;
}

/** Flushes those of the devices that the daemon serves. */
export type FlushServed = (request: FlushRequest) => Promise<Flushed[]>;

/** @returns closes the server. Without a server `missd flush` flushes from outside, and the daemon restores what it holds. */
export async function listenControl(
  folder: string,
  flush: FlushServed,
  failed: (reason: string) => void,
): Promise<() => void> {
  // Not named after the process id, because daemons of several containers may share the folder.
  const path = join(folder, `${randomUUID()}${CONTROL_SUFFIX}`);
  const server: Server = createServer((request, response) => {
    answer(request, flush).then(
      ({ code, body }) => response.writeHead(code).end(JSON.stringify(body)),
      (error: unknown) => response.writeHead(500).end(JSON.stringify({ error: reasonOf(error) })),
    );
  });
  await new Promise<void>((resolve) => {
    server.on('error', (error) => {
      failed(`${path}: ${reasonOf(error)}`);
      resolve();
    });
    server.listen(path, resolve);
  });
  return () => {
    server.closeAllConnections();
    server.close();
    rmSync(path, { force: true });
  };
}

async function answer(
  request: IncomingMessage,
  flush: FlushServed,
): Promise<{ code: number; body: unknown }> {
  if (request.method !== 'POST' || request.url !== '/flush')
    return { code: 404, body: { error: 'POST /flush' } };
  let text = '';
  for await (const chunk of request) {
    text += String(chunk);
    if (text.length > LONGEST) return { code: 413, body: { error: 'too long' } };
  }
  const { namespace, devices, all } = JSON.parse(text) as Partial<FlushRequest>;
  if (typeof namespace !== 'number' || !Array.isArray(devices))
    return { code: 400, body: { error: 'expected a namespace and devices' } };
  return { code: 200, body: await flush({ namespace, devices: devices.map(String), all: all === true }) };
}

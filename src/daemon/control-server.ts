/**
 * Requests of root to a running daemon: an HTTP server on a unix socket in the state folder, which only root may enter.
 *
 *   POST /leave {"namespace": inode, "network": name}: answers null where the daemon has not joined it there
 *   POST /flush {"namespace": inode, "devices": [names, or none for all], "all": whether every extern_learn row goes}
 */
import { rmSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type Server, createServer } from 'node:http';
import { join } from 'node:path';
import { reasonOf } from '../base/errors.ts';
import type { Flushed } from '../entries/flush.ts';
import type { Left } from '../join/leave.ts';

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

export interface LeaveRequest {
  /** Inode of the namespace of the underlay. */
  namespace: number;
  /** Name. */
  network: string;
}

/** What a daemon does on request. */
export interface ControlActions {
  /** Flushes those of the devices that the daemon serves. */
  flush: (request: FlushRequest) => Promise<Flushed[]>;
  /** Leaves a network; undefined where the daemon has not joined it. */
  leave: (request: LeaveRequest) => Promise<LeftNetwork | undefined>;
}

/** `notReleased`: why the directory still has this host in the network. */
export type LeftNetwork = Left & { notReleased?: string };

/** @returns closes the server. Without a server `missd flush` flushes from outside, and the daemon restores what it holds. */
export async function listenControl(
  folder: string,
  actions: ControlActions,
  failed: (reason: string) => void,
): Promise<() => void> {
  // Not named after the process id, because daemons of several containers may share the folder.
  const path = join(folder, `${randomUUID()}${CONTROL_SUFFIX}`);
  const server: Server = createServer((request, response) => {
    answer(request, actions).then(
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
  { flush, leave }: ControlActions,
): Promise<{ code: number; body: unknown }> {
  const { method, url = '' } = request;
  if (method !== 'POST' || !['/flush', '/leave'].includes(url))
    return { code: 404, body: { error: 'POST /flush or /leave' } };
  let text = '';
  for await (const chunk of request) {
    text += String(chunk);
    if (text.length > LONGEST) return { code: 413, body: { error: 'too long' } };
  }
  if (url === '/leave') {
    const { namespace, network } = JSON.parse(text) as Partial<LeaveRequest>;
    if (typeof network !== 'string' || typeof namespace !== 'number')
      return { code: 400, body: { error: 'expected a namespace and a network' } };
    return { code: 200, body: (await leave({ namespace, network })) ?? null };
  }
  const { namespace, devices, all } = JSON.parse(text) as Partial<FlushRequest>;
  if (typeof namespace !== 'number' || !Array.isArray(devices))
    return { code: 400, body: { error: 'expected a namespace and devices' } };
  return { code: 200, body: await flush({ namespace, devices: devices.map(String), all: all === true }) };
}

/** Asks the daemons whose sockets are in the state folder. */
import { readdirSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { RuntimeFailure } from '../base/errors.ts';
import type { Flushed } from '../entries/flush.ts';
import {
  CONTROL_SUFFIX,
  type FlushRequest,
  type LeaveRequest,
  type LeftNetwork,
} from '../daemon/control-server.ts';

/** A daemon with hundreds of thousands of entries takes seconds, ms. */
const PATIENCE = 30_000;

/**
 * Has each daemon flush what it serves of these devices.
 * @returns what was flushed; devices that no daemon serves are not among it
 * @throws RuntimeFailure when a daemon that serves them does not do it
 */
export async function flushServed(folder: string, asked: FlushRequest): Promise<Flushed[]> {
  const flushed: Flushed[] = [];
  for (const path of sockets(folder)) {
    const answer = await ask<Flushed[]>(path, '/flush', asked);
    // A daemon that was killed leaves its socket.
    if (answer === undefined) rmSync(path, { force: true });
    else flushed.push(...answer);
  }
  return flushed;
}

/**
 * Has the daemons that joined a network leave it.
 * @returns what each of them took away
 * @throws RuntimeFailure when one of them does not do it
 */
export async function leaveJoined(folder: string, asked: LeaveRequest): Promise<LeftNetwork[]> {
  const left: LeftNetwork[] = [];
  for (const path of sockets(folder)) {
    const answer = await ask<LeftNetwork | null>(path, '/leave', asked);
    if (answer !== undefined && answer !== null) left.push(answer);
  }
  return left;
}

function sockets(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith(CONTROL_SUFFIX))
      .map((name) => join(folder, name));
  } catch {
    // No daemon has run here.
    return [];
  }
}

/** @returns undefined when no daemon listens */
function ask<T>(socketPath: string, path: string, asked: object): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      reject(new RuntimeFailure(`the daemon at ${socketPath} did not do it (${path}): ${why}`));
    };
    const sent = request({ socketPath, path, method: 'POST', timeout: PATIENCE }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += String(chunk)));
      response.on('error', (error) => {
        fail(error.message);
      });
      response.on('end', () => {
        if (response.statusCode === 200) resolve(JSON.parse(text) as T);
        else fail(text);
      });
    });
    sent.on('timeout', () => sent.destroy(new Error(`no answer within ${PATIENCE / 1000} s`)));
    sent.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(undefined);
      else fail(error.message);
    });
    sent.end(JSON.stringify(asked));
  });
}

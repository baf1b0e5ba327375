import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { Registry } from 'prom-client';
import type { HostPort } from '../config/parse.ts';
import type { Daemon } from '../daemon.ts';
import { RuntimeFailure, reasonOf } from '../errors.ts';
import { statusOf } from './status.ts';

/** Before an address that another process has is tried again, ms. */
const RETRY = 100;

/**
 * Serves `/metrics`, `/healthz`, `/readyz` and `/status`, all read-only.
 * @param wait while another process has the address; the server is returned meanwhile
 * @throws RuntimeFailure when the address cannot be listened on
 */
export async function listen(
  { host, port }: HostPort,
  daemon: Daemon,
  registry: Registry,
  wait = false,
): Promise<Server> {
  const server = createServer((request, response) => {
    answer(request, response, daemon, registry).catch((error: unknown) => {
      send(response, 500, 'text/plain', `${reasonOf(error)}\n`);
    });
  });
  let again: NodeJS.Timeout | undefined;
  server.once('close', () => {
    clearTimeout(again);
  });
  await new Promise<void>((resolve, reject) => {
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (!wait || error.code !== 'EADDRINUSE')
        reject(new RuntimeFailure(`cannot listen on ${host}:${port}: ${reasonOf(error)}`, { cause: error }));
      else {
        again = setTimeout(() => server.listen(port, host), RETRY);
        resolve();
      }
    });
    server.listen(port, host, resolve);
  });
  return server;
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  daemon: Daemon,
  registry: Registry,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    send(response, 405, 'text/plain', 'only GET\n');
    return;
  }
  const missing = daemon.missing();
  switch (request.url?.split('?')[0]) {
    case '/metrics':
      send(response, 200, registry.contentType, await registry.metrics());
      return;
    case '/healthz':
      send(response, 200, 'text/plain', 'ok\n');
      return;
    case '/readyz':
      sendJson(response, missing.length === 0 ? 200 : 503, {
        ready: missing.length === 0,
        missing,
        ...(daemon.keeper.guard.active.length > 0 ? { degraded: 'withdrawal' } : {}),
      });
      return;
    case '/status':
      sendJson(response, 200, statusOf(daemon));
      return;
    default:
      send(response, 404, 'text/plain', '/metrics /healthz /readyz /status\n');
  }
}

const sendJson = (response: ServerResponse, code: number, body: unknown): void => {
  send(response, code, 'application/json', `${JSON.stringify(body, null, 2)}\n`);
};

function send(response: ServerResponse, code: number, type: string, body: string): void {
  response.writeHead(code, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

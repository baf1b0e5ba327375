import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { HostPort } from '../config/parse.ts';
import type { Daemon } from '../daemon.ts';
import { vni as parseVni } from '../config/parse.ts';
import { canonicalIp, canonicalMac } from '../directory/address.ts';
import { RuntimeFailure, reasonOf } from '../errors.ts';
import { accountOf } from '../history/account.ts';
import { CONTENT_TYPE, type Exposition } from '../metrics/exposition.ts';
import { statusOf } from './status.ts';

/** Before an address that another process has is tried again, ms. */
const RETRY = 100;

/**
 * Serves `/metrics`, `/healthz`, `/readyz`, `/status` and `/history?vni=&address=`, all read-only.
 * @param wait while another process has the address; the server is returned meanwhile
 * @throws RuntimeFailure when the address cannot be listened on
 */
export async function listen(
  { host, port }: HostPort,
  daemon: Daemon,
  registry: Exposition,
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
  registry: Exposition,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    send(response, 405, 'text/plain', 'only GET\n');
    return;
  }
  const missing = daemon.missing();
  switch (request.url?.split('?')[0]) {
    case '/metrics':
      send(response, 200, CONTENT_TYPE, await registry.text());
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
    case '/history':
      sendHistory(response, new URL(request.url ?? '', 'http://localhost').searchParams, daemon);
      return;
    default:
      send(response, 404, 'text/plain', '/metrics /healthz /readyz /status /history?vni=&address=\n');
  }
}

function sendHistory(response: ServerResponse, asked: URLSearchParams, daemon: Daemon): void {
  const text = asked.get('address') ?? '';
  const address = canonicalIp(text) ?? canonicalMac(text);
  let vni: number | undefined;
  try {
    vni = parseVni(asked.get('vni') ?? '');
  } catch {
    // Said below.
  }
  if (vni === undefined || address === undefined)
    send(response, 400, 'text/plain', 'expected /history?vni=VNI&address=IP-OR-MAC\n');
  else sendJson(response, 200, accountOf(daemon, vni, address));
}

const sendJson = (response: ServerResponse, code: number, body: unknown): void => {
  send(response, code, 'application/json', `${JSON.stringify(body, null, 2)}\n`);
};

function send(response: ServerResponse, code: number, type: string, body: string): void {
  response.writeHead(code, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

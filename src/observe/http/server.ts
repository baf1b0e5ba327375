import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import type { HostPort } from '../../config/parse.ts';
import type { Observed } from '../observed.ts';
import { vni as parseVni } from '../../config/parse.ts';
import { canonicalIp, canonicalMac } from '../../base/address.ts';
import { RuntimeFailure, reasonOf } from '../../base/errors.ts';
import { accountOf } from '../history/account.ts';
import { type ContentType, type Metrics, OPEN_METRICS, TEXT } from '../metrics/metrics.ts';
import { metricsTypeOf } from './accept.ts';
import type { Connection } from './connection.ts';
import { Connections } from './connections.ts';
import { escapeControls } from '../../screen/escape-controls.ts';
import { statusOf } from './status.ts';

/** Time between attempts to bind an address that another process has, ms. */
const RETRY = 100;

export interface HttpService {
  /** The port that was bound; a requested port of 0 means any. */
  readonly port: number;
  close(): void;
}

/**
 * Serves `/metrics`, `/healthz`, `/readyz`, `/status` and `/history?vni=&address=`, all read-only. The load that peers can
 * cause is bounded: each connection has one request at a time, a turn of the event loop makes one answer, and simultaneous
 * requests for metrics in one format share one rendering.
 * @param wait whether to wait while another process has the address; the function returns meanwhile
 * @throws RuntimeFailure if the address cannot be bound
 */
export async function listen(
  { host, port }: HostPort,
  daemon: Observed,
  metrics: Metrics,
  wait = false,
): Promise<HttpService> {
  const sharedAs = (type: ContentType): (() => Promise<Buffer>) =>
    shared(() => metrics.render(type).then((text) => Buffer.from(text)));
  const rendered = { [TEXT]: sharedAs(TEXT), [OPEN_METRICS]: sharedAs(OPEN_METRICS) };
  const nextTurn = onePerTurn();
  const http = createServer((request, response) => {
    // The peer closed the connection, or does not read.
    response.on('error', () => undefined);
    response.once('close', () => {
      // Without keep-alive the HTTP server ends the connection.
      if (response.shouldKeepAlive) connections.answered(request.socket as unknown as Connection);
    });
    nextTurn()
      .then(() => answer(request, response, daemon, rendered))
      .catch((error: unknown) => {
        if (!response.headersSent) send(response, 500, 'text/plain', `${reasonOf(error)}\n`);
      });
  });
  const connections = new Connections(http, (most) => {
    daemon.report.refusedPeer('full', `${most} are open`);
  });
  const { server } = connections;
  let again: NodeJS.Timeout | undefined;
  await new Promise<void>((resolve, reject) => {
    server.on('error', (error: NodeJS.ErrnoException) => {
      // An error of accept(2), such as EMFILE: the server goes on listening.
      if (server.listening) daemon.report.refusedPeer('error', reasonOf(error));
      else if (!wait || error.code !== 'EADDRINUSE')
        reject(new RuntimeFailure(`cannot listen on ${host}:${port}: ${reasonOf(error)}`, { cause: error }));
      else {
        again = setTimeout(() => server.listen(port, host), RETRY);
        resolve();
      }
    });
    server.listen(port, host, resolve);
  });
  return {
    get port() {
      return (server.address() as AddressInfo | null)?.port ?? 0;
    },
    close: () => {
      clearTimeout(again);
      connections.close();
    },
  };
}

/** Callers during one run of `make` share its result. */
function shared<T>(make: () => Promise<T>): () => Promise<T> {
  let underWay: Promise<T> | undefined;
  return () =>
    (underWay ??= make().finally(() => {
      underWay = undefined;
    }));
}

/** Resolves for one caller in each turn of the event loop, so that misses are read between two answers. */
function onePerTurn(): () => Promise<void> {
  let last: Promise<void> = Promise.resolve();
  return () => (last = last.then(() => turn()));
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  daemon: Observed,
  rendered: Record<ContentType, () => Promise<Buffer>>,
): Promise<void> {
  // The server reads no bodies, so a connection cannot be reused after a request that has one.
  if (request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined)
    response.shouldKeepAlive = false;
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    send(response, 405, 'text/plain', 'only GET\n');
    return;
  }
  const missing = daemon.readiness.missing();
  switch (request.url?.split('?')[0]) {
    case '/metrics': {
      const type = metricsTypeOf(request.headers.accept);
      send(response, 200, type, await rendered[type]());
      return;
    }
    case '/healthz':
      send(response, 200, 'text/plain', 'ok\n');
      return;
    case '/readyz':
      sendJson(response, missing.length === 0 ? 200 : 503, {
        ready: missing.length === 0,
        missing,
        ...(daemon.reconciler.guard.active.length > 0 ? { degraded: 'withdrawal' } : {}),
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

function sendHistory(response: ServerResponse, asked: URLSearchParams, daemon: Observed): void {
  const text = asked.get('address') ?? '';
  const address = canonicalIp(text) ?? canonicalMac(text);
  let vni: number | undefined;
  try {
    vni = parseVni(asked.get('vni') ?? '');
  } catch {
    // Answered with 400 below.
  }
  if (vni === undefined || address === undefined)
    send(response, 400, 'text/plain', 'expected /history?vni=VNI&address=IP-OR-MAC\n');
  else sendJson(response, 200, accountOf(daemon, vni, address));
}

const sendJson = (response: ServerResponse, code: number, body: unknown): void => {
  send(response, code, 'application/json', `${escapeControls(JSON.stringify(body, null, 2))}\n`);
};

function send(response: ServerResponse, code: number, type: string, body: string | Buffer): void {
  response.writeHead(code, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

/** What a peer on the host may do to the HTTP address, and what it gets. */
import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Daemon } from '../../../../src/daemon/daemon.ts';
import { type HttpService, listen } from '../../../../src/observe/http/server.ts';
import { Metrics } from '../../../../src/observe/metrics/metrics.ts';
import { daemonOnFakes } from '../../fake/daemon.ts';

const HOST = '127.0.0.1';
const ask = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;

let daemon: Daemon;
let metrics: Metrics;
let service: HttpService;
let peers: Socket[];
/** Renderings of the metrics: begun, and how to end the one under way. */
let renderings: number;
let finish: (text: string) => void;

beforeEach(async () => {
  daemon = daemonOnFakes();
  metrics = new Metrics();
  renderings = 0;
  vi.spyOn(metrics, 'render').mockImplementation(() => {
    renderings++;
    return new Promise((resolve) => (finish = resolve));
  });
  service = await listen({ host: HOST, port: 0 }, daemon, metrics);
  peers = [];
});
afterEach(() => {
  for (const peer of peers) peer.destroy();
  service.close();
});

interface Peer {
  socket: Socket;
  heard: () => string;
}

async function peer(): Promise<Peer> {
  const socket = connect(service.port, HOST);
  peers.push(socket);
  let heard = '';
  socket.on('error', () => undefined);
  socket.setEncoding('utf8').on('data', (text: string) => (heard += text));
  await once(socket, 'connect');
  return { socket, heard: () => heard };
}

const answers = (text: string): number => text.split('HTTP/1.1 ').length - 1;

it('reads the requests of a connection one by one, however many are pipelined', async () => {
  const { socket, heard } = await peer();
  socket.write(ask('/metrics').repeat(20_000));
  await vi.waitFor(() => {
    expect(renderings).toBe(1);
  });
  // Whatever else happens meanwhile, no second one begins.
  const other = await peer();
  other.socket.write(ask('/healthz'));
  await vi.waitFor(() => {
    expect(other.heard()).toContain('ok\n');
  });
  expect(renderings).toBe(1);
  for (let n = 1; n <= 3; n++) {
    finish(`text ${n}\n`);
    await vi.waitFor(() => {
      expect(renderings).toBe(n + 1);
    });
    expect(answers(heard())).toBe(n);
  }
});

it('answers pipelined requests in their order, in whatever pieces they come', async () => {
  const { socket, heard } = await peer();
  const text = ask('/healthz') + ask('/nowhere') + ask('/healthz');
  for (const one of text) socket.write(one);
  await vi.waitFor(() => {
    expect([...heard().matchAll(/HTTP\/1.1 (\d+)/g)].map(([, code]) => code)).toEqual(['200', '404', '200']);
  });
});

it('renders the metrics once for simultaneous requests', async () => {
  const many = await Promise.all(Array.from({ length: 20 }, peer));
  for (const { socket } of many) socket.write(ask('/metrics'));
  await vi.waitFor(() => {
    expect(renderings).toBe(1);
  });
  // The last of them has been taken when one that came later is answered.
  const last = await peer();
  last.socket.write(ask('/healthz'));
  await vi.waitFor(() => {
    expect(last.heard()).toContain('ok\n');
  });
  finish('shared\n');
  await vi.waitFor(() => {
    for (const { heard } of many) expect(heard()).toContain('shared\n');
  });
  expect(renderings).toBe(1);
});

it('holds 64 connections, and closes the longest idle one for a new one', async () => {
  const many: Peer[] = [];
  for (let n = 0; n < 65; n++) many.push(await peer());
  await vi.waitFor(() => {
    expect(many[0]?.socket.closed).toBe(true);
  });
  expect(many.slice(1).some(({ socket }) => socket.closed)).toBe(false);
  expect(daemon.counters.httpRefusals.full).toBe(1);
  many[64]?.socket.write(ask('/healthz'));
  await vi.waitFor(() => {
    expect(many[64]?.heard()).toContain('ok\n');
  });
});

it.each([
  ['a head without an end', `GET / HTTP/1.1\r\nX: ${'x'.repeat(9_000)}`],
  ['a head that is too long', ask('/healthz', `X: ${'x'.repeat(9_000)}\r\n`)],
  ['bytes that are not HTTP', 'hello\r\n\r\n'],
])('closes a connection that sends %s', async (_what, text) => {
  const { socket } = await peer();
  socket.write(text);
  await vi.waitFor(() => {
    expect(socket.closed).toBe(true);
  });
});

it('answers a request with a body, and reads nothing after it', async () => {
  const { socket, heard } = await peer();
  socket.write(`POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody${ask('/metrics')}`);
  await vi.waitFor(() => {
    expect(socket.closed).toBe(true);
  });
  expect(heard()).toMatch(/^HTTP\/1.1 405 /);
  expect(renderings).toBe(0);
});

it('survives a peer that resets its connection at any time', async () => {
  for (const bytes of ['', 'GET', ask('/metrics'), ask('/healthz').repeat(100)]) {
    const { socket } = await peer();
    socket.write(bytes);
    socket.resetAndDestroy();
  }
  const { socket, heard } = await peer();
  socket.write(ask('/healthz'));
  await vi.waitFor(() => {
    expect(heard()).toContain('ok\n');
  });
});

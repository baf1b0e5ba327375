/** A TCP proxy that can let chosen connections go silent without closing them, as a firewall that forgot them does. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface StallingProxy {
  port: number;
  /** Connections whose client has sent this text so far deliver nothing any more. */
  stall(sent: string): number;
  /** To such connections this text is delivered, as if the server had sent it. */
  say(sent: string, text: string): number;
  close(): Promise<void>;
}

export async function startProxy(to: number): Promise<StallingProxy> {
  const pairs = new Map<Socket, { upstream: Socket; sent: string }>();
  const thatSent = (sent: string) => [...pairs].filter(([, pair]) => pair.sent.includes(sent.toLowerCase()));
  const server = createServer((client) => {
    const upstream = connect(to, '127.0.0.1');
    const pair = { upstream, sent: '' };
    pairs.set(client, pair);
    client.on('data', (data) => {
      pair.sent += data.toString('latin1').toLowerCase();
    });
    client.pipe(upstream).pipe(client);
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        pairs.delete(client);
        other.destroy();
      });
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    stall(sent) {
      const silent = thatSent(sent);
      for (const [client, { upstream }] of silent) {
        upstream.unpipe(client);
        client.unpipe(upstream);
        // Read and thrown away, so that neither side notices a full buffer.
        upstream.resume();
        client.resume();
      }
      return silent.length;
    },
    say(sent, text) {
      const told = thatSent(sent);
      for (const [client] of told) client.write(text);
      return told.length;
    },
    async close() {
      for (const [client] of pairs) client.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** ioredis clients with time limits for a lost server. */
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import './reply-guard.ts';
import { isWrongDatabase } from './reason.ts';
import type { RedisTarget } from './url.ts';

/** A command without an answer is given up after this long; with SIGKILL and SIGSTOP of the server it was the worst case seen. */
export const COMMAND_TIMEOUT = 200;
/** A connection that owes an answer and says nothing this long is dead. */
export const SOCKET_TIMEOUT = 500;
/** A dropped SYN is retried by the kernel after 1 s. */
export const CONNECT_TIMEOUT = 1500;
/** A server that is back serves within this time; with a thousand hosts that is a thousand attempts a second. */
const LONGEST_BACKOFF = 1000;

/** Half of it random, so that the hosts of a fabric do not return in step. */
export function backoff(attempt: number): number {
  const delay = Math.min(LONGEST_BACKOFF, 50 * 2 ** Math.min(attempt, 10));
  return delay / 2 + Math.random() * (delay / 2);
}

/** The types of ioredis refuse an undefined reply mapping, and ours is the default one. */
type Options = Omit<RedisOptions, 'replyMapping'>;
/** Without a time limit a command waits for as long as its connection does. */
type ClientOptions = Omit<Options, 'commandTimeout'> & { commandTimeout?: number | undefined };

/** Everything but the address. RESP2 because over RESP3 ioredis drops invalidation pushes. */
function commonOptions(target: RedisTarget): ClientOptions {
  return {
    protocol: 2,
    db: target.db,
    ...(target.username !== undefined && { username: target.username }),
    ...(target.password !== undefined && { password: target.password }),
    ...(target.tls !== undefined && { tls: target.tls }),
    connectTimeout: CONNECT_TIMEOUT,
    // A frozen server does not answer a goodbye either.
    disconnectTimeout: COMMAND_TIMEOUT,
    commandTimeout: COMMAND_TIMEOUT,
    socketTimeout: SOCKET_TIMEOUT,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    disableClientInfo: true,
    // INFO may be forbidden, and while a server loads it would be asked in silence; PING says LOADING aloud.
    enableReadyCheck: false,
    lazyConnect: true,
  };
}

/** One connection, not yet opened. To a cluster use `clusterClient`, and this with the address of a node. */
export function redisClient(target: RedisTarget, more: ClientOptions = {}): Redis {
  const client = new Redis({
    ...commonOptions(target),
    ...location(target),
    enableOfflineQueue: false,
    retryStrategy: backoff,
    ...more,
  });
  // ioredis goes on with database 0 where SELECT is refused, and would read another database than was asked for.
  client.on('error', (error: Error) => {
    if (isWrongDatabase(error)) client.disconnect(true);
  });
  return client;
}

/** What `connectAgain` needs of a client. */
interface Ending {
  on(event: 'end' | 'ready', listener: () => void): unknown;
  connect(): Promise<unknown>;
}

/**
 * Connects a client again that has ended although it was not closed. ioredis ends a client for good, without its retry
 * strategy and without `close`, when a sentinel reports another master while the client still looks for one, or when TLS
 * cannot begin (ioredis 6, Redis.js `_connect`).
 * @param lost is called for each such end
 */
export function connectAgain(client: Ending, isClosed: () => boolean, lost: () => void): void {
  let attempts = 0;
  client.on('ready', () => (attempts = 0));
  client.on('end', () => {
    if (isClosed()) return;
    lost();
    setTimeout(() => {
      // A failure is also reported by an event.
      if (!isClosed()) client.connect().catch(() => undefined);
    }, backoff(attempts++));
  });
}

function location({ where, tls }: RedisTarget): ClientOptions {
  switch (where.kind) {
    case 'socket':
      return { path: where.path };
    case 'server':
      return where.address;
    case 'cluster':
      return where.nodes[0] ?? {};
    case 'sentinel':
      return {
        sentinels: where.sentinels,
        name: where.master,
        ...(where.username !== undefined && { sentinelUsername: where.username }),
        ...(where.password !== undefined && { sentinelPassword: where.password }),
        sentinelCommandTimeout: COMMAND_TIMEOUT,
        sentinelRetryStrategy: backoff,
        // Without it a master that was replaced but still answers would be read for ever.
        failoverDetector: true,
        // The check of the role is part of the ready check.
        enableReadyCheck: true,
        ...(tls !== undefined && { enableTLSForSentinelMode: true, sentinelTLS: tls }),
      };
  }
}

export function clusterClient(target: RedisTarget, more: ClientOptions = {}): Cluster {
  const { lazyConnect, ...redisOptions } = { ...commonOptions(target), ...more };
  return new Cluster(target.where.kind === 'cluster' ? target.where.nodes : [], {
    lazyConnect: lazyConnect ?? true,
    enableOfflineQueue: false,
    enableReadyCheck: true,
    slotsRefreshTimeout: CONNECT_TIMEOUT,
    clusterRetryStrategy: backoff,
    clusterNodeRetryStrategy: backoff,
    // A read has one deadline; what a failover makes fail is tried again by whoever asked.
    maxRedirections: 3,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    retryDelayOnTryAgain: 20,
    // Certificates name hosts, so a name must not become an address on the way to TLS.
    ...(target.tls !== undefined && {
      dnsLookup: (address, done) => {
        done(null, address);
      },
    }),
    redisOptions: redisOptions,
  });
}

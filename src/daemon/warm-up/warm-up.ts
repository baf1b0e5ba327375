/**
 * V8 parses a function when it is first called. The first packet after a start took 4.4 ms because of that, and takes 1.8 ms if
 * the functions have run before. So a whole daemon answers a few made-up misses, with a kernel and a directory that exist in
 * memory only, before the real daemon begins. Nothing leaves the process.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { pino } from 'pino';
import { NEVER, Subject, of } from 'rxjs';
import type { RunOptions } from '../../config/options.ts';
import { Daemon } from '../daemon.ts';
import type { Directory, RecordKey } from '../../directory/directory.ts';
import { NO_PREFIXES } from '../../directory/prefixes.ts';
import { LeaseTable } from '../../directory/leases.ts';
import { addon } from '../../kernel/addon.ts';
import type { Kernel, KernelEvent, Namespace } from '../../kernel/kernel.ts';
import { NUD_INCOMPLETE, NUD_STALE } from '../../kernel/netlink.ts';
import type { Asker, Link, Miss } from '../../base/vocabulary.ts';

/** One at a time, as on a quiet host: ten of each kind. Six thousand make the first packet no faster. */
const MISSES = 30;

const BRIDGE = 1;
const PORT = 2;
const BRIDGED = 3;
const ROUTED = 4;
const HERE = '192.0.2.1';
const VTEP = '192.0.2.2';
const LEASE_MAC = '02:00:00:00:00:02';

/** @param options those of the real daemon @returns how many misses it has answered */
export async function warmUp(options: RunOptions): Promise<number> {
  const events$ = new Subject<KernelEvent>();
  const daemon = new Daemon(
    { ...options, netns: [], device: [], wait: false, strategy: [], broadcast: [] },
    kernel(events$),
    directory(),
    pino({ level: 'silent' }),
  );
  daemon.start();
  for (let n = 0; n < MISSES; n++) {
    events$.next({ type: 'misses', misses: [miss(n)] });
    await turn();
  }
  await daemon.stop();
  return daemon.counters.resolutions.l3.resolved;
}

const asker: Asker = { port: PORT, lladdr: '02:00:00:00:00:01', ip: '198.51.100.1' };

/** Every third miss is a routed one. Of every other address there is a record, all are in a lease. */
function miss(n: number): Miss {
  const address = `198.51.100.${n}`;
  return n % 3 === 2
    ? { layer: 'l3', ifindex: ROUTED, address, state: NUD_INCOMPLETE, count: 1 }
    : { layer: 'l3', ifindex: BRIDGED, address, state: NUD_STALE, count: 1, asker };
}

const isRecorded = (address: string): boolean => Number(address.split('.')[3]) % 2 === 0;

const macOf = (address: string): string => {
  const bytes = address.split('.').map((byte) => Number(byte).toString(16).padStart(2, '0'));
  return ['02', '00', ...bytes].join(':');
};

const valueOf = ({ kind, address }: RecordKey): string | null =>
  kind === 'ip' && isRecorded(address) ? `${macOf(address)} ${VTEP}` : null;

function directory(): Directory {
  const leases = new LeaseTable(new Map([['198.51.100.0/24', `${LEASE_MAC} ${VTEP}`]]));
  return {
    state$: of({ up: true } as const),
    changes$: NEVER,
    ownership: undefined,
    start: () => undefined,
    read: (keys) => Promise.resolve(keys.map(valueOf)),
    leases: () => leases,
    lacksRecord: (_, ip) => !isRecorded(ip),
    follow: () => Promise.resolve(),
    isEmpty: () => Promise.resolve(false),
    everything: () => [],
    takePart: () => Promise.resolve([]),
    leave: () => Promise.resolve(),
    usersOf: () => Promise.resolve(new Map()),
    network: () => Promise.resolve(undefined),
    restoreNetwork: () => Promise.resolve('there'),
    prefixes: NO_PREFIXES,
    health: () => ({
      up: { lookups: true, feed: true, leases: true },
      feedLag: 0,
      feedMessages: 0,
      excessLeases: 0,
    }),
    close: () => Promise.resolve(),
  };
}

function kernel(events$: Subject<KernelEvent>): Kernel {
  const link = (ifindex: number, kind: string, rest: Partial<Link> = {}): Link => ({
    ...{ ifindex, name: `warm${ifindex}`, kind, up: true, lladdr: '02:00:00:00:00:09', mtu: 1450, master: 0 },
    ...rest,
  });
  const port = { multicastRouter: 2, bcastFlood: true, mcastFlood: true, neighSuppress: false };
  const settings = { local: HERE, link: 0, learning: false, l2miss: true, l3miss: true };
  const more = { external: false, ipv6: false, dstport: 4789 };
  const links = [
    link(BRIDGE, 'bridge', { bridge: { vlanFiltering: false } }),
    link(PORT, 'veth', { master: BRIDGE }),
    link(BRIDGED, 'vxlan', {
      ...{ master: BRIDGE, bridgePort: port },
      vxlan: { ...settings, ...more, vni: 1, proxy: true },
    }),
    link(ROUTED, 'vxlan', { vxlan: { ...settings, ...more, vni: 2, proxy: false } }),
  ];
  const namespace: Namespace = {
    events$,
    receiveBuffer: { bytes: Infinity, forced: true },
    canAnnounce: true,
    inode: 0,
    neglected: () => false,
    links: () => Promise.resolve(links),
    addresses: () => Promise.resolve([]),
    neighbours: () => Promise.resolve([]),
    fdb: () => Promise.resolve([]),
    bridgeFdb: () => Promise.resolve([]),
    // In the routed topology the row that asks.
    getNeighbours: (keys) => keys.map((key) => ({ ...key, state: NUD_INCOMPLETE, flags: 0, protocol: 0 })),
    getFdb: (keys) => keys.map(() => undefined),
    getBridgeFdb: (_, lladdrs) => lladdrs.map(() => undefined),
    write: (writes) => {
      addon.encodeWrites(writes);
      return [];
    },
    announce: (announcements) => {
      for (const one of announcements) addon.buildAnnouncement(one);
      return 0;
    },
    routes: () => Promise.resolve([]),
    writeRoutes: () => [],
    watchTables: () => undefined,
    setPorts: () => undefined,
    probe: () => 0,
    watchSenders: () => undefined,
    followFrames: () => undefined,
    throttle: () => Promise.resolve(),
    limitBroadcasts: () => Promise.resolve(),
    silenceDad: () => Promise.resolve(),
    isDadSilenced: () => Promise.resolve(true),
    broadcastsDropped: () => Promise.resolve(new Map()),
    lastAsked: (keys) => keys.map(() => undefined),
    setMulticastRouter: () => undefined,
    getAppSolicit: () => undefined,
    setAppSolicit: () => undefined,
    getNeighbourTable: () => undefined,
    lock: () => true,
    unlock: () => undefined,
    namedSockets: () => [],
  };
  return { open: () => namespace };
}

/** What a daemon says of itself, as a test wants it. */
import type { AskedFor } from '../../../src/observe/top-addresses/report.ts';
import type { DeviceStatus } from '../../../src/observe/http/device-status.ts';
import type { Distribution, Status } from '../../../src/observe/http/status.ts';

export const BOUNDS = [0.001, 0.01, 0.1];

export const distribution = (...counts: number[]): Distribution => ({ bounds: BOUNDS, counts, sum: 0 });

export const deviceLike = (rest: Partial<DeviceStatus> = {}): DeviceStatus => ({
  name: 'vxlan100',
  namespace: 'blue',
  ifindex: 5,
  vni: 100,
  local: '10.99.0.1',
  topology: 'bridged',
  strategy: 'miss',
  up: true,
  adopted: true,
  verified: true,
  auditedSeconds: 4,
  misses: 0,
  neighbours: 2,
  fdb: 1,
  routes: 0,
  absent: 0,
  foreign: 0,
  ports: [],
  inFlight: 0,
  ...rest,
});

export const askedLike = (rest: Partial<AskedFor> = {}): AskedFor => ({
  address: '20.0.0.2',
  layer: 'l3',
  device: 'vxlan100',
  namespace: 'blue',
  vni: 100,
  port: 'g1',
  asked: 10,
  perSecond: 0.5,
  firstSeconds: 20,
  lastSeconds: 1,
  ...rest,
});

export const statusLike = (rest: Partial<Status> = {}): Status => ({
  version: '0.1.0',
  pid: 1234,
  uptime: 3_600,
  ready: true,
  missing: [],
  directory: { kind: 'redis', address: '127.0.0.1:6379', up: true, forSeconds: 3_600 },
  devices: [deviceLike()],
  unserved: [],
  networks: [],
  publishing: [],
  misses: { l2: 0, l3: 0 },
  ignored: { duplicate: 0, in_flight: 0 },
  resolutions: {
    l2: { resolved: 0, unknown: 0, failed: 0, shed: 0, local: 0 },
    l3: { resolved: 0, unknown: 0, failed: 0, shed: 0, local: 0 },
  },
  inFlight: 0,
  announcements: { sent: 0 },
  conflicts: { overridden: 0 },
  evictions: { max_entries: 0 },
  writeFailures: { fdb: 0 },
  overruns: { miss: 0 },
  latency: { resolution: distribution(0, 0, 0, 0), lookup: distribution(0, 0, 0, 0) },
  entries: { held: 2, most: 200_000 },
  shed: [],
  throttled: [],
  guard: [],
  hottest: [],
  unknown: [],
  memory: 80 * 1024 ** 2,
  ...rest,
});

/** The longest there is, written to unsettle a terminal. */
const HOSTILE = `\u001b[2J\u0007${'x'.repeat(100)}\u202e\n`;
const LONGEST_IP = 'fd20:1234:5678:9abc:def0:1234:5678:9abc';

/** Everything at once, and more of it than fits. */
export const worst = (): Status =>
  statusLike({
    ready: false,
    missing: Array.from({ length: 20 }, (_, n) => `namespace ${HOSTILE}${n}`),
    directory: { kind: 'redis cluster', address: HOSTILE, up: false, reason: HOSTILE, forSeconds: 1e7 },
    devices: Array.from({ length: 200 }, (_, n) =>
      deviceLike({
        name: `vx${n}\u001b[31m`,
        namespace: `/run/docker/netns/${HOSTILE}`,
        vni: 16_777_215 - n,
        strategy: 'preload',
        topology: 'routed',
        local: LONGEST_IP,
        up: n % 3 !== 0,
        adopted: n % 3 !== 1,
        verified: false,
        misses: 1e9 + n,
        neighbours: 9_999_999,
        fdb: 123_456_789,
        routes: 1e6,
        absent: 65_536,
      }),
    ),
    publishing: Array.from({ length: 3 }, () => ({
      ...{ network: HOSTILE, vni: 16_777_215, host: HOSTILE, lease: 0, loss: 'displaced' as const },
      ...{ guests: 1e6, addresses: 1e7, claims: [], refused: { duplicate: 1e6, manual: 1e6, frozen: 1e6 } },
    })),
    unserved: Array.from({ length: 3 }, () => ({ name: HOSTILE, namespace: HOSTILE, reason: HOSTILE })),
    misses: { l2: 1e9, l3: 1e12 },
    ignored: { duplicate: 1e12, in_flight: 1e12, negative: 1e12, link_local: 1e12, unserved: 1e12 },
    resolutions: {
      l2: { resolved: 1e12, unknown: 1e12, failed: 1e12, shed: 1e12, local: 1e12 },
      l3: { resolved: 1e12, unknown: 1e12, failed: 1e12, shed: 1e12, local: 1e12 },
    },
    conflicts: { overridden: 5, lease_covers_host: 5 },
    evictions: { max_entries: 5, port_quota: 5 },
    writeFailures: { fdb: 1 },
    overruns: { miss: 3 },
    latency: { resolution: distribution(1, 1, 1, 500), lookup: distribution(0, 0, 0, 1) },
    shed: Array.from({ length: 20 }, () => ({ device: HOSTILE, port: HOSTILE, shed: 1e10 })),
    throttled: Array.from({ length: 20 }, () => ({ device: HOSTILE, port: HOSTILE })),
    guard: [{ vni: 16_777_215, entries: 1e6, forSeconds: 280 }],
    hottest: Array.from({ length: 20 }, (_, n) =>
      askedLike({ address: LONGEST_IP, vni: 16_777_215, namespace: HOSTILE, port: HOSTILE, asked: 1e9 + n }),
    ),
    unknown: Array.from({ length: 20 }, () =>
      askedLike({
        address: LONGEST_IP,
        vni: 16_777_215,
        namespace: HOSTILE,
        port: HOSTILE,
        firstSeconds: 1e6,
      }),
    ),
  });

/** The JSON of `GET /history?vni=&address=`: the daemon's state and events of one address. Times: seconds or ISO 8601. */
import type { Observed } from '../observed.ts';
import { monotonic } from '../../base/clock.ts';
import { questionsOf } from '../../model/device-questions.ts';
import type { ServedDevice } from '../../model/device.ts';
import type { HeldFdbEntry, HeldNeighbour, Source } from '../../model/desired-tables.ts';
import type { Ip, Mac, Vni } from '../../base/vocabulary.ts';
import type { PublishAccount } from '../../publish/publish-account.ts';
import { VERSION } from '../../base/version.ts';
import type { EventKind } from './history.ts';
import type { EventDetails } from './ring.ts';

export interface Account {
  version: string;
  pid: number;
  /** Seconds. */
  uptime: number;
  vni: Vni;
  address: string;
  /** `forSeconds`: how long the directory has been down. */
  directory: { up: boolean; reason?: string; forSeconds?: number };
  /** Entries that lost their records all at once stay for `--withdrawal-grace`. */
  withdrawalGuard: boolean;
  /** The options in force, seconds. */
  audit: number;
  lifetime: number;
  devices: DeviceAccount[];
  /** What this host knows of guests with the address, in a network that it has joined. */
  publishing?: PublishAccount;
  events: EventAccount[];
  /** Events older than this many seconds may have been dropped; absent if none was. */
  eventsSince?: number;
}

/** An entry as missd holds it. */
export interface HeldAccount {
  source: Source;
  /** Seconds since its record was read, and since its last known use. */
  checkedAgo: number;
  usedAgo: number;
}

export interface DeviceAccount {
  name: string;
  namespace: string;
  ifindex: number;
  up: boolean;
  strategy: string;
  /** The device's entries have been compared with the directory. */
  verified: boolean;
  neighbour?: HeldAccount & { mac: Mac };
  fdb?: HeldAccount & { mac: Mac; vtep: Ip; router: boolean };
  /** In the negative cache: since when, and for how much longer, seconds. */
  absent?: { ago: number; left: number };
  /** Known to be on this host. */
  local?: { ago: number; left: number };
  /** The question in flight; `ago` in seconds. */
  inFlight?: { ago: number; waiting: boolean; askers: number };
  /** Addresses that use the MAC or have used it. */
  users: Ip[];
}

export interface EventAccount extends EventDetails {
  kind: EventKind;
  /** ISO 8601. */
  at: string;
  /** Seconds. */
  ago: number;
  address: string;
}

/** Most events in the answer. */
const MOST_EVENTS = 64;

export function accountOf(daemon: Observed, vni: Vni, address: string): Account {
  const now = monotonic();
  const { history, options } = daemon;
  const state = daemon.readiness.directory;
  const devices = daemon.host.devices().filter((device) => device.vni === vni);
  const macs = devices.flatMap(({ tables }) => tables.knownMac(address) ?? []);
  const events = history.of(vni, address, macs);
  const publishing = daemon.networks.publishing.account(vni, address);
  return {
    version: VERSION,
    pid: process.pid,
    uptime: seconds(now - daemon.startedAt),
    vni,
    address,
    directory: state.up
      ? { up: true }
      : { up: false, reason: state.reason, forSeconds: seconds(now - state.since) },
    withdrawalGuard: daemon.reconciler.guard.active.includes(vni),
    audit: options.audit,
    lifetime: options.lifetime,
    devices: devices.map((device) => deviceAccount(device, address, now)),
    ...(publishing !== undefined && { publishing }),
    events: events.slice(-MOST_EVENTS).map(({ kind, at, vni: _, ...rest }) => ({
      kind,
      at: new Date(Date.now() - (now - at)).toISOString(),
      ago: seconds(now - at),
      ...rest,
    })),
    ...(history.since !== undefined && { eventsSince: seconds(now - history.since) }),
  };
}

function deviceAccount(device: ServedDevice, address: string, now: number): DeviceAccount {
  const { tables, link, namespace, absent, local } = device;
  const neighbour = tables.neighbours.get(address);
  const mac = neighbour?.mac ?? address;
  const fdb = tables.fdb.get(mac);
  const question = questionsOf(device).inFlight.get(address);
  const [absentLeft, localLeft] = [absent.left(address), local.left(address)];
  return {
    name: link.name,
    namespace: namespace.name,
    ifindex: link.ifindex,
    up: link.up,
    strategy: device.strategy,
    verified: device.verified,
    ...(neighbour !== undefined && { neighbour: { mac: neighbour.mac, ...held(neighbour, now) } }),
    ...(fdb !== undefined && {
      fdb: { mac: fdb.mac, vtep: fdb.vtep, router: fdb.router, ...held(fdb, now) },
    }),
    ...(absentLeft !== undefined && { absent: remembered(absentLeft, absent.lifetime) }),
    ...(localLeft !== undefined && { local: remembered(localLeft, local.lifetime) }),
    ...(question !== undefined && {
      inFlight: {
        ago: seconds(now - question.receivedAt),
        waiting: question.waiting,
        askers: question.askers.length,
      },
    }),
    users: [...tables.addressesOf(mac)],
  };
}

const held = ({ source, checkedAt, usedAt }: HeldNeighbour | HeldFdbEntry, now: number): HeldAccount => ({
  source,
  checkedAgo: seconds(now - checkedAt),
  usedAgo: seconds(now - usedAt),
});

const remembered = (left: number, lifetime: number): { ago: number; left: number } => ({
  ago: seconds(lifetime - left),
  left: seconds(left),
});

/** Milliseconds as seconds, to three decimals. */
const seconds = (milliseconds: number): number => Math.max(0, Math.round(milliseconds)) / 1000;

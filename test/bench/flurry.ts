/** Many misses at a stand, and what they cost its responder. */
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuOf } from './cpu.ts';
import type { Field } from './field.ts';
import { DEVICE, type Topology, address } from './rule.ts';
import type { Contender } from './seat.ts';

export interface FlurryOptions {
  topology: Topology;
  /** Number of the first address. */
  first: number;
  distinct: number;
  /** More than `distinct` begins anew, and rows are removed so that every question is a miss. */
  total?: number;
  /** Per second; as fast as a core goes by default. */
  rate?: number;
}

export interface Flurry {
  sent: number;
  resolved: number;
  /** Milliseconds from the first question to the last row. */
  took: number;
  /** Microseconds of processor time of the responder for each. */
  cpu: number;
  /** Cores it was worth while it lasted. */
  cores: number;
  /** Asked and not resolved yet, every second. */
  backlog: number[];
  overruns: number;
}

interface Said {
  at?: number;
  done?: number;
  sent: number;
  resolved: number;
}

/** What a responder does after the last row belongs to the price: a second look, counting, garbage. */
const AFTERMATH = 500;

export async function flurry(
  field: Field,
  { seat, kind }: Contender,
  options: FlurryOptions,
): Promise<Flurry> {
  const { stand, responder } = seat;
  const { topology, first, distinct, total = distinct, rate = 0 } = options;
  const from = topology === 'bridged' ? stand.guest : stand.host;
  const numbers = [address(topology, kind, first), distinct, total, rate].map(String);
  const argv = [topology, stand.host.namespace.path, DEVICE[topology], ...numbers, stand.guest.ip4 ?? ''];
  const { pid } = responder.program;
  const overrunsBefore = await overrunsOf(seat.responder);
  const before = cpuOf(pid);
  const text = await from.namespace.exec([field.program('storm'), ...argv], {
    timeout: 120_000 + (rate > 0 ? (total / rate) * 1000 : 0),
  });
  await sleep(AFTERMATH);
  const used = cpuOf(pid) - before;
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Said);
  const end = lines.find(({ done }) => done !== undefined) ?? { sent: 0, resolved: 0, done: NaN };
  const took = end.done ?? NaN;
  return {
    sent: end.sent,
    resolved: end.resolved,
    took,
    cpu: used / Math.max(1, end.resolved),
    cores: used / 1000 / took,
    backlog: lines.filter(({ at }) => at !== undefined).map(({ sent, resolved }) => sent - resolved),
    overruns: (await overrunsOf(seat.responder)) - overrunsBefore,
  };
}

/** The floor counts its own on the way out only; what it has lost shows in what was not resolved. */
const overrunsOf = async ({ daemon }: Contender['seat']['responder']): Promise<number> =>
  (await daemon?.metric('missd_netlink_overruns_total')) ?? 0;

/** The top addresses of all devices, as `/status` shows them. */
import { L2_PORT, UNKNOWN_PORT } from '../../model/port-lane.ts';
import type { ServedDevice } from '../../model/device.ts';
import { addressesOf } from './device-addresses.ts';
import type { Asked } from './asked-addresses.ts';
import { HALF_LIFE } from './top-addresses.ts';

/** An address that guests ask for. */
export interface AskedFor {
  address: string;
  layer: 'l2' | 'l3';
  device: string;
  namespace: string;
  vni: number;
  /** The bridge port that asked last; absent if it is unknown. */
  port?: string;
  /** Misses so far; an estimate in a storm. */
  asked: number;
  /** Misses a second: hottest addresses averaged over about the last minute, unresolved addresses since the first miss. */
  perSecond: number;
  /** Seconds since the first and last miss. */
  firstSeconds: number;
  lastSeconds: number;
}

/** Addresses in each list. */
const MOST = 20;

/** The addresses asked for most. */
export const hottest = (devices: readonly ServedDevice[], now: number): AskedFor[] =>
  devices
    .flatMap((device) =>
      [...addressesOf(device).hot.all()].map((asked) => told(device, asked, cooled(asked, now), now)),
    )
    .sort((one, other) => other.perSecond - one.perSecond || order(one, other))
    .slice(0, MOST);

/**
 * Unresolved addresses that guests ask for repeatedly, the longest unresolved first. Every port gets one place before any port
 * gets a second, so that the unresolved addresses of one guest do not hide those of others.
 */
export function longestUnknown(devices: readonly ServedDevice[], now: number): AskedFor[] {
  const rounds: AskedFor[][] = [];
  for (const device of devices) {
    const turns = new Map<number, number>();
    const again = [...addressesOf(device).unknown.all()].filter(({ count }) => count > 1);
    for (const asked of again.sort((one, other) => one.since - other.since)) {
      const turn = turns.get(asked.owner) ?? 0;
      turns.set(asked.owner, turn + 1);
      (rounds[turn] ??= []).push(
        told(device, asked, asked.count / Math.max(1, (now - asked.since) / 1000), now),
      );
    }
  }
  const longest = (one: AskedFor, other: AskedFor): number =>
    other.firstSeconds - one.firstSeconds || order(one, other);
  return rounds
    .flatMap((round) => round.sort(longest))
    .slice(0, MOST)
    .sort(longest);
}

function told(device: ServedDevice, asked: Readonly<Asked>, perSecond: number, now: number): AskedFor {
  const { address, layer, port, count, since, at } = asked;
  const { link, namespace, vni } = device;
  const known = port !== L2_PORT && port !== UNKNOWN_PORT;
  return {
    address,
    layer,
    device: link.name,
    namespace: namespace.name,
    vni,
    ...(known ? { port: namespace.portName(port) } : {}),
    asked: count,
    perSecond: rounded(perSecond),
    firstSeconds: rounded((now - since) / 1000),
    lastSeconds: rounded((now - at) / 1000),
  };
}

/** Misses a second: the heat divided by the heat that one miss a second would have reached in the same time. */
function cooled({ heat, since }: Readonly<Asked>, now: number): number {
  const seconds = Math.max(1, (now - since) / 1000);
  return heat / ((HALF_LIFE / Math.LN2) * (1 - 2 ** (-seconds / HALF_LIFE)));
}

/** A stable order between reports. */
const order = (one: AskedFor, other: AskedFor): number =>
  other.asked - one.asked || (one.address < other.address ? -1 : 1);

const rounded = (value: number): number => Math.round(value * 100) / 100;

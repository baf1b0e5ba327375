/** What is asked for, as `/status` says it: of all devices the addresses that somebody may want to look into. */
import { L2_PORT, UNKNOWN_PORT } from '../../model/port-lane.ts';
import type { ServedDevice } from '../../model/device.ts';
import { addressesOf } from './device-addresses.ts';
import type { Asked } from './asked-addresses.ts';
import { HALF_LIFE } from './top-addresses.ts';

/** An address that is asked for. */
export interface AskedFor {
  address: string;
  layer: 'l2' | 'l3';
  device: string;
  namespace: string;
  vni: number;
  /** The bridge port that asked last; absent where none is known. */
  port?: string;
  /** Misses since it was first asked for; an estimate in a storm. */
  asked: number;
  /** The same a second: of the hottest on the average of about the last minute, of the unknown since it was first asked for. */
  perSecond: number;
  /** Seconds since it was first and last asked for. */
  firstSeconds: number;
  lastSeconds: number;
}

/** More are not of use to anybody. */
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
 * Addresses that nobody has and that are asked for again and again, the longest so first. Every port has its turn before
 * another has a second one: what a single guest asks for in vain does not hide what others miss.
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

/** Of its heat, divided by what one miss a second would have come to in the same time. */
function cooled({ heat, since }: Readonly<Asked>, now: number): number {
  const seconds = Math.max(1, (now - since) / 1000);
  return heat / ((HALF_LIFE / Math.LN2) * (1 - 2 ** (-seconds / HALF_LIFE)));
}

/** The same from one look to the next. */
const order = (one: AskedFor, other: AskedFor): number =>
  other.asked - one.asked || (one.address < other.address ? -1 : 1);

const rounded = (value: number): number => Math.round(value * 100) / 100;

/** A stand with somebody at it who answers its misses. */
import { until } from '../../src/lab/wait.ts';
import type { Field } from './field.ts';
import { type FloorOptions, type MissdOptions, type Responder, startFloor, startMissd } from './responder.ts';
import type { Kind } from './rule.ts';
import type { Stand } from './stand.ts';

export interface Seat {
  readonly stand: Stand;
  responder: Responder;
  /** As if nobody had ever asked here: no rows, and none remembered. */
  renew(): Promise<void>;
}

/** Who is compared, by which addresses; a seat serves two, one by records and one by lease. */
export interface Contender {
  name: string;
  kind: Kind;
  seat: Seat;
  /** Name of the one it is measured by. */
  floor?: string;
}

export const FLOOR = 'floor';
export const FLOOR_ONE_MAC = 'floor, one MAC';
export const FLOOR_REDIS = 'floor with Redis';
export const MISSD_LEASE = 'missd, lease in memory';
export const MISSD_REDIS = 'missd, through Redis';

/** Started anew each time, since it remembers that it has written the lease's MAC. */
export async function seatFloor(field: Field, options?: FloorOptions): Promise<Seat> {
  const stand = await field.addStand();
  const seat: Seat = {
    stand,
    responder: await startFloor(field, stand, options),
    renew: async () => {
      await seat.responder.stop();
      await stand.renew();
      seat.responder = await startFloor(field, stand, options);
    },
  };
  return seat;
}

/** Runs on, as it does in ordinary life. */
export async function seatMissd(
  field: Field,
  options?: MissdOptions,
): Promise<Seat & { responder: Required<Responder> }> {
  const stand = await field.addStand();
  const responder = await startMissd(field, stand, options);
  return {
    stand,
    responder,
    renew: async () => {
      await stand.renew();
      await until(
        'missd to serve the new devices',
        async () => {
          const metrics = await responder.daemon.metrics();
          return (
            ['missd_entries', 'missd_misses_in_flight'].every((name) => metrics.sum(name) === 0) &&
            metrics.sum('missd_devices') === 2
          );
        },
        { timeout: 60_000, every: 50 },
      );
      await responder.daemon.ready();
    },
  };
}

/** The floor in both ways, and missd. All records have to be there before, as they are when a daemon starts. */
export async function contenders(field: Field, options?: MissdOptions): Promise<Contender[]> {
  const [ruling, asking, missd] = [
    await seatFloor(field),
    await seatFloor(field, { redis: true }),
    await seatMissd(field, options),
  ];
  return [
    { name: FLOOR, kind: 'record', seat: ruling },
    { name: FLOOR_ONE_MAC, kind: 'lease', seat: ruling },
    { name: FLOOR_REDIS, kind: 'record', seat: asking, floor: FLOOR },
    { name: MISSD_LEASE, kind: 'lease', seat: missd, floor: FLOOR_ONE_MAC },
    { name: MISSD_REDIS, kind: 'record', seat: missd, floor: FLOOR_REDIS },
  ];
}

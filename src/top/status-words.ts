/** Texts that `missd status` and `missd top` share. */
import type { DeviceStatus } from '../observe/http/device-status.ts';
import type { Palette } from '../screen/palette.ts';
import { duration, ms } from '../screen/span.ts';
import type { Paint } from '../screen/table.ts';

export const audited = (seconds: number): string =>
  seconds === Infinity ? 'tables not compared yet' : `tables compared ${duration(seconds)} ago`;

/** The state of a device, with its topology, and its strategy unless that is `miss`. */
export function deviceState(one: DeviceStatus, { green, yellow, red }: Palette): [string, Paint] {
  const { topology, strategy, up, adopted, verified } = one;
  const how = strategy === 'miss' ? topology : `${topology}, ${strategy}`;
  if (!up) return [`down, ${how}`, red];
  if (!adopted) return [`adopting, ${how}`, yellow];
  return verified ? [how, green] : [`unverified, ${how}`, yellow];
}

/** A latency in ms. A value in the last bucket is only known to be above the highest bound, hence `>`. */
export const latencyOf = (seconds: number | undefined, bounds: readonly number[]): string =>
  seconds === undefined ? '-' : `${seconds === bounds.at(-1) ? '>' : ''}${ms(seconds * 1000)}`;

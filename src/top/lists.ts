/** The lower part of the screen: devices, and the addresses that guests ask for. */
import { deviceState } from './status-words.ts';
import type { AskedFor } from '../observe/top-addresses/report.ts';
import { count, rate } from '../screen/number.ts';
import type { Palette } from '../screen/palette.ts';
import { duration } from '../screen/span.ts';
import type { Cell, Column } from '../screen/table.ts';
import { type Frame, addressKey, deviceKey } from './rates.ts';

export interface List {
  columns: Column[];
  rows: Cell[][];
}

/** Sorted by questions, most first. */
export function devices({ status, since }: Frame, palette: Palette): List {
  const perSecond = (key: string): number => since?.devices[key] ?? 0;
  const rows = status.devices
    .map((one) => ({ one, key: deviceKey(one), misses: perSecond(deviceKey(one)) }))
    .sort((a, b) => b.misses - a.misses || (a.key < b.key ? -1 : 1))
    .map<Cell[]>(({ one, misses }) => [
      one.name,
      one.namespace,
      String(one.vni),
      since === undefined ? '-' : rate(misses),
      count(one.neighbours),
      count(one.fdb),
      count(one.absent),
      deviceState(one, palette),
    ]);
  return {
    columns: [
      { title: 'DEVICE', least: 8 },
      { title: 'NAMESPACE', least: 9 },
      { title: 'VNI', right: true },
      { title: 'MISS/S', right: true },
      { title: 'NEIGH', right: true },
      { title: 'FDB', right: true },
      { title: 'NEGATIVE', right: true, optional: true },
      { title: 'STATE', least: 8 },
    ],
    rows,
  };
}

export function hottest({ status, since }: Frame): List {
  const now = (one: AskedFor): string => {
    const value = since?.hottest[addressKey(one)];
    return value === undefined ? '-' : rate(value);
  };
  return {
    columns: [
      { title: 'MOST ASKED FOR' },
      { title: 'VNI', right: true },
      { title: '/S', right: true },
      { title: '/S, 1 MIN', right: true, optional: true },
      { title: 'ASKED', right: true },
      { title: 'BY PORT', least: 7 },
      { title: 'NAMESPACE', least: 9, optional: true },
    ],
    rows: status.hottest.map((one) => [
      one.address,
      String(one.vni),
      now(one),
      rate(one.perSecond),
      count(one.asked),
      one.port ?? '-',
      one.namespace,
    ]),
  };
}

export function longestUnknown({ status }: Frame, { yellow }: Palette): List {
  return {
    columns: [
      { title: 'UNRESOLVED' },
      { title: 'VNI', right: true },
      { title: 'FOR', right: true },
      { title: 'LAST', right: true, optional: true },
      { title: 'ASKED', right: true },
      { title: 'BY PORT', least: 7 },
      { title: 'NAMESPACE', least: 9, optional: true },
    ],
    rows: status.unknown.map((one) => [
      [one.address, yellow],
      String(one.vni),
      duration(one.firstSeconds),
      `${duration(one.lastSeconds)} ago`,
      count(one.asked),
      one.port ?? '-',
      one.namespace,
    ]),
  };
}

/** Renders a view as lines of a screen. Pure: the size is all that it takes from the terminal. */
import { beside } from '../screen/beside.ts';
import { cut } from '../screen/cut.ts';
import { harmless } from '../screen/columns.ts';
import type { Palette } from '../screen/palette.ts';
import { table } from '../screen/table.ts';
import { type List, devices, hottest, longestUnknown } from './lists.ts';
import type { View } from './rates.ts';
import { summary } from './summary.ts';

export interface Size {
  /** Characters in a line. */
  width: number;
  /** Lines; Infinity if the output is not a terminal. */
  height: number;
}

/** From this width on the two lists of addresses are side by side. */
const WIDE = 150;
const GAP = 3;
/** Rows of a list if the height is Infinity. */
const MOST_ROWS = 10;

/**
 * @param every seconds between two samples
 * @returns lines within the width and the height
 */
export function render(view: View, every: number, size: Size, palette: Palette): string[] {
  const { width, height } = size;
  const lines: string[] = [];
  if (view.silent !== undefined) {
    const since = view.since.toTimeString().slice(0, 8);
    lines.push(
      palette.red(cut(`no daemon answers since ${since}, trying again: ${harmless(view.silent)}`, width)),
    );
    if (view.last !== undefined) lines.push(palette.dim(cut('its last known state:', width)));
  }
  const frame = view.silent === undefined ? view : view.last;
  if (frame !== undefined) {
    lines.push(...summary(frame, every, width, palette));
    const asked = [hottest(frame), longestUnknown(frame, palette)];
    lines.push(
      ...lists([devices(frame, palette), ...asked], { width, height: height - lines.length }, palette),
    );
  }
  return lines.slice(0, height);
}

/** The first list above the others, an empty line before each. */
function lists(all: readonly List[], { width, height }: Size, palette: Palette): string[] {
  const [first, ...asked] = all.filter(({ rows }) => rows.length > 0);
  if (first === undefined) return [];
  const wide = width >= WIDE && asked.length > 1;
  const groups = wide ? [[first], asked] : [first, ...asked].map((list) => [list]);
  const needs = groups.map((group) => Math.max(...group.map(({ rows }) => rows.length)));
  const room = quotas(needs, height - 2 * groups.length);
  return groups.flatMap((group, at) => {
    const rows = room[at] ?? 0;
    if (rows <= 0) return [];
    const own = Math.floor((width - GAP * (group.length - 1)) / group.length);
    const [left = [], right = []] = group.map((list) => some(list, rows, own, palette));
    return ['', ...beside(left, right, own + GAP)];
  });
}

/** At most `room` rows of a list; the last row tells how many are missing. */
function some({ columns, rows }: List, room: number, width: number, palette: Palette): string[] {
  if (rows.length <= room) return table(columns, rows, width, palette);
  const missing = palette.dim(cut(`… ${rows.length - room + 1} more`, width));
  return [...table(columns, rows.slice(0, room - 1), width, palette), missing];
}

/** Shares rows among lists: small lists get all they need, larger ones share the rest. */
function quotas(needs: readonly number[], room: number): number[] {
  if (room === Infinity) return needs.map((need) => Math.min(need, MOST_ROWS));
  const given = needs.map(() => 0);
  for (let left = room; left > 0;) {
    const wanting = needs.flatMap((need, at) => ((given[at] ?? 0) < need ? [at] : []));
    if (wanting.length === 0) break;
    for (const at of wanting) {
      if (left-- <= 0) break;
      given[at] = (given[at] ?? 0) + 1;
    }
  }
  return given;
}

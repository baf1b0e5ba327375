/**
 * Aligned columns below their titles. If a line is too long, optional columns are left out, then the widest columns are
 * narrowed to their `least` width, and finally every line is cut. Cells are made harmless.
 */
import { harmless } from './columns.ts';
import { cut } from './cut.ts';
import type { Palette } from './palette.ts';
import { wrapped } from './wrap.ts';

export interface Column {
  title: string;
  /** Right-aligned, for numbers. */
  right?: boolean;
  /** The column may be narrowed to so many characters. */
  least?: number;
  /** The column may be left out; the last optional column goes first. */
  optional?: boolean;
  /** The text is wrapped; only the last column can be prose. */
  prose?: boolean;
}

export type Paint = (text: string) => string;
/** A text, or a text and its colour. */
export type Cell = string | readonly [text: string, paint: Paint];

const GAP = 2;
/** Prose in narrower columns is unreadable. */
const LEAST_PROSE = 24;

interface Shown {
  column: Column;
  cells: readonly { text: string; paint: Paint }[];
  /** Width of the column, and its minimum, characters. */
  width: number;
  least: number;
}

const plain: Paint = (text) => text;

/** @param width characters in a line; Infinity if lines may have any length */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  width: number,
  { dim }: Palette,
): string[] {
  const shown = fitted(
    columns.map((column, at) => shownAs(column, rows, at)),
    width,
  );
  const title = line(
    shown.map(({ column }) => ({ text: column.title, paint: dim })),
    shown,
    width,
  );
  const body = rows.flatMap((_, row) => lines(row, shown, width));
  return [title, ...body];
}

function shownAs(column: Column, rows: readonly (readonly Cell[])[], at: number): Shown {
  const cells = rows.map((row) => {
    const cell = row[at] ?? '';
    const [text, paint] = typeof cell === 'string' ? [cell, plain] : cell;
    return { text: harmless(text), paint };
  });
  const natural = cells.reduce((widest, { text }) => Math.max(widest, text.length), column.title.length);
  const least = column.prose === true ? LEAST_PROSE : (column.least ?? natural);
  return { column, cells, width: natural, least: Math.min(natural, Math.max(least, column.title.length)) };
}

const total = (widths: readonly number[]): number =>
  widths.reduce((sum, width) => sum + width, (widths.length - 1) * GAP);

/** Leaves out and narrows columns until they fit. */
function fitted(all: readonly Shown[], width: number): readonly Shown[] {
  let shown = all;
  while (total(shown.map(({ least }) => least)) > width) {
    const expendable = shown.findLast(({ column }) => column.optional === true);
    if (expendable === undefined) break;
    shown = shown.filter((one) => one !== expendable);
  }
  while (total(shown.map((one) => one.width)) > width) {
    const giving = shown.filter((one) => one.width > one.least);
    if (giving.length === 0) break;
    giving.reduce((widest, one) => (one.width > widest.width ? one : widest)).width--;
  }
  return shown;
}

/** The lines of a row: one, or more if the last column is prose. */
function lines(row: number, shown: readonly Shown[], width: number): string[] {
  const cells = shown.map((one) => one.cells[row] ?? { text: '', paint: plain });
  const last = shown.at(-1);
  const prose = cells.at(-1);
  if (last?.column.prose !== true || prose === undefined) return [line(cells, shown, width)];
  const indent = total(shown.slice(0, -1).map((one) => one.width)) + GAP;
  const [first = '', ...rest] = wrapped(prose.text.split(' '), last.width);
  return [
    line([...cells.slice(0, -1), { text: first, paint: prose.paint }], shown, width),
    ...rest.map((text) => ' '.repeat(indent) + prose.paint(cut(text, Math.max(0, width - indent)))),
  ];
}

function line(
  cells: readonly { text: string; paint: Paint }[],
  shown: readonly Shown[],
  width: number,
): string {
  let made = '';
  let used = 0;
  for (const [at, { text, paint }] of cells.entries()) {
    const { column, width: own = 0 } = shown[at] ?? {};
    const gap = at === 0 ? 0 : GAP;
    const room = Math.min(own, width - used - gap);
    if (room <= 0) break;
    const short = cut(text, room);
    const space = ' '.repeat(room - short.length);
    const end = at === cells.length - 1;
    // Spaces get no colour, because some terminals show it.
    made +=
      ' '.repeat(gap) + (column?.right === true ? space + paint(short) : paint(short) + (end ? '' : space));
    used += gap + room;
  }
  return made;
}

import { stripVTControlCharacters } from 'node:util';

/** The width of a line on the screen; colours have no width. */
export const visible = (line: string): number => stripVTControlCharacters(line).length;

/** Puts two blocks of lines side by side. @param column where the second block begins, to the right of the first */
export function beside(left: readonly string[], right: readonly string[], column: number): string[] {
  return Array.from({ length: Math.max(left.length, right.length) }, (_, at) => {
    const [one = '', other = ''] = [left[at], right[at]];
    return other === '' ? one : one + ' '.repeat(Math.max(0, column - visible(one))) + other;
  });
}

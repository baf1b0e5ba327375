import { stripVTControlCharacters } from 'node:util';

/** Characters that a line takes on the screen; colour takes none. */
export const visible = (line: string): number => stripVTControlCharacters(line).length;

/** Two blocks of lines, the second from a column on. Lines of the first are shorter than that. */
export function beside(left: readonly string[], right: readonly string[], column: number): string[] {
  return Array.from({ length: Math.max(left.length, right.length) }, (_, at) => {
    const [one = '', other = ''] = [left[at], right[at]];
    return other === '' ? one : one + ' '.repeat(Math.max(0, column - visible(one))) + other;
  });
}

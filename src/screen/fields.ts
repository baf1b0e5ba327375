import { cut } from './cut.ts';
import { harmless } from './columns.ts';
import type { Cell } from './table.ts';

const GAP = 3;

/** The items that fit whole into one line of `width` characters, in their order. A first item that is too long is cut. */
export function fields(items: readonly Cell[], width: number): string {
  let made = '';
  let used = 0;
  for (const item of items) {
    const [raw, paint] = typeof item === 'string' ? [item, (text: string) => text] : item;
    const gap = used === 0 ? 0 : GAP;
    const text = harmless(raw);
    if (used > 0 && used + gap + text.length > width) continue;
    const short = cut(text, width);
    made += ' '.repeat(gap) + paint(short);
    used += gap + short.length;
  }
  return made;
}

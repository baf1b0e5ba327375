/**
 * Wraps words into lines of at most `width` characters.
 * @param longer what happens to a word that is longer than a line; `whole` is for text that is to be copied
 */
export function wrapped(
  words: readonly string[],
  width: number,
  longer: 'broken' | 'whole' = 'broken',
): string[] {
  const lines: string[] = [];
  const step = Math.max(1, width);
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines.push(`${lines.pop()} ${word}`);
    else if (longer === 'whole' || word.length <= width) lines.push(word);
    else for (let at = 0; at < word.length; at += step) lines.push(word.slice(at, at + step));
  }
  return lines;
}

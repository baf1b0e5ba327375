/** Items worked on in one go; the event loop turns in between. */
const CHUNK = 500;

/** Cuts a list, so that work on it does not hold up the event loop. */
export function* chunks<T>(items: readonly T[]): Generator<T[]> {
  for (let start = 0; start < items.length; start += CHUNK) yield items.slice(start, start + CHUNK);
}

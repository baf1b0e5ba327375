import { statSync } from 'node:fs';
import { type Observable, distinctUntilChanged, interval, map, startWith } from 'rxjs';

/** How often a namespace is looked for, ms. */
const PERIOD = 1_000;

/**
 * Which namespace a path names, as a number that differs when it was deleted and made again; undefined while there is
 * none. An open socket would keep a deleted namespace alive, so whoever follows this closes theirs in time.
 */
export function presence$(path: string): Observable<string | undefined> {
  return interval(PERIOD).pipe(
    startWith(-1),
    map(() => identity(path)),
    distinctUntilChanged(),
  );
}

/** `ip netns add` makes the file before it mounts the namespace on it; only the mount has nsfs's device number. */
function identity(path: string): string | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  return found === undefined ? undefined : `${found.dev}:${found.ino}`;
}

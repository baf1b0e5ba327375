import { type Stats, statSync } from 'node:fs';
import { type Observable, distinctUntilChanged, interval, map, scan, startWith } from 'rxjs';
import { reasonOf } from '../base/errors.ts';

/** Interval between looks at a path, ms. */
const PERIOD = 1_000;

/** `identity` changes when the namespace is recreated; without a namespace `identity` is absent and `reason` is set. */
export interface Presence {
  identity?: string;
  reason: string;
}

/**
 * The namespace that a path names. An open socket keeps a deleted namespace alive, so subscribers close their sockets
 * when it changes. A path that cannot be read for a while (EACCES, ELOOP) keeps its last namespace.
 */
export function presence$(
  path: string,
  look: (path: string) => ReturnType<typeof identify> = identify,
): Observable<Presence> {
  return interval(PERIOD).pipe(
    startWith(-1),
    map(() => look(path)),
    scan((before, now) => (now.unknown === true && before.identity !== undefined ? before : now)),
    distinctUntilChanged((one, other) => one.identity === other.identity && one.reason === other.reason),
  );
}

/** stat(2). @throws NodeJS.ErrnoException */
type Stat = (path: string) => Stats | undefined;

const statIfThere: Stat = (path) => statSync(path, { throwIfNoEntry: false });

/** `ip netns add` makes the file before it mounts the namespace on it; only the mount has nsfs's device number. */
export function identify(path: string, stat: Stat = statIfThere): Presence & { unknown?: boolean } {
  try {
    const found = stat(path);
    return found === undefined
      ? { reason: 'does not exist' }
      : { identity: `${found.dev}:${found.ino}`, reason: '' };
  } catch (error) {
    return { reason: `cannot be looked at (${reasonOf(error)})`, unknown: true };
  }
}

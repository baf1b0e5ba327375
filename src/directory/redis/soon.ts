/**
 * Waiting for an answer that is all but there. A server on this machine answers in some twenty microseconds: to go back to
 * the event loop and be woken from there takes longer than that, on an idle host several times as long. So the loop
 * stands still for a moment instead, in which it would have had nothing to do.
 *
 * Whatever does not come in time comes the ordinary way. A server that is far away, busy or frozen costs the wait once,
 * and the next one only after a rest, twice as long each time.
 */
import type { Socket } from 'node:net';
import { type Clock, monotonic } from '../../base/clock.ts';
import { RuntimeFailure } from '../../base/errors.ts';
import { addon } from '../../kernel/addon.ts';

/** The longest wait, microseconds. */
const WAIT = 200;
/** Between two waits that were in vain, ms: a five-hundredth of the time at most. */
const LEAST_REST = 100;
const MOST_REST = 10_000;

export class Soon {
  readonly #now: Clock;
  #rest = LEAST_REST;
  #restUntil = 0;

  constructor(now: Clock = monotonic) {
    this.#now = now;
  }

  /** What comes in by the socket before it is read from the event loop, in front of `buffer`: so many bytes, mostly all or none. */
  receive(socket: Socket, buffer: Buffer): number {
    const fd = fdOf(socket);
    if (fd === undefined || this.#now() < this.#restUntil) return 0;
    const length = receiveWithin(fd, buffer);
    if (length > 0) this.#rest = LEAST_REST;
    else {
      this.#restUntil = this.#now() + this.#rest;
      this.#rest = Math.min(this.#rest * 2, MOST_REST);
    }
    return length;
  }
}

/** Without the addon, as for commands that need no kernel, what comes is read from the event loop. */
function receiveWithin(fd: number, buffer: Buffer): number {
  try {
    return addon.receiveWithin(fd, buffer, WAIT);
  } catch (error) {
    if (error instanceof RuntimeFailure) return 0;
    throw error;
  }
}

/** Node has it, and no public name for it; without it there is no waiting. */
function fdOf(socket: Socket): number | undefined {
  const { _handle: handle } = socket as { _handle?: { fd?: unknown } | null };
  const fd = handle?.fd;
  return typeof fd === 'number' && fd >= 0 ? fd : undefined;
}

/** What a publisher needs to know of the guests of this host; see local-guests.ts. */
import type { Observable } from 'rxjs';
import type { Ip, Mac } from '../base/vocabulary.ts';

/** What happened to a guest. */
export type GuestNews =
  /** `announced`: the guest was heard itself; otherwise only the bridge knows of it. */
  | { type: 'seen'; mac: Mac; announced: boolean }
  /** The whole MAC, or some of its addresses. */
  | { type: 'gone'; mac: Mac };

export interface Guests {
  readonly changes$: Observable<GuestNews>;
  /** The guest as it is now, and when it was heard last, monotonic ms. */
  get(mac: Mac): { readonly ips: ReadonlyMap<Ip, unknown>; readonly seenAt?: number } | undefined;
  known(): Iterable<{ readonly mac: Mac }>;
  /** Whether the guest answers for the address at its port; within 300 ms. Never rejects. */
  probe(mac: Mac, ip: Ip): Promise<boolean>;
  /** Forgets a MAC, or some of its addresses: the next frame of the guest is news again. */
  forget(mac: Mac, ips?: readonly Ip[]): void;
}

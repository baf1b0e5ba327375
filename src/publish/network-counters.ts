/** What happened to the prefixes of this host and to the records of its networks, of all networks. */

/**
 * `acquired`: also the same one again, after a start. `exhausted`: attempts at which none was free. `yielded`: another host had
 * the prefix earlier. `manual`: a record that was written by hand says something else, and stays.
 */
export const PREFIX_EVENTS = ['acquired', 'exhausted', 'yielded', 'manual'] as const;
export type PrefixEvent = (typeof PREFIX_EVENTS)[number];

export class NetworkCounters {
  readonly prefixes: Record<PrefixEvent, number> = { acquired: 0, exhausted: 0, yielded: 0, manual: 0 };
  /** Records of networks that the directory had lost. */
  restored = 0;
}

/** Whether the daemon is ready: it waits for its namespaces, the adopted entries and the directory. */
import { monotonic } from '../base/clock.ts';
import type { DirectoryState } from '../directory/directory.ts';
import type { Host } from '../links/host.ts';

/** An outage of the directory shorter than this does not affect `/readyz`, ms. */
const DIRECTORY_GRACE = 10_000;

export class Readiness {
  readonly #host: Host;
  readonly #joins: { missing(): string[] };
  #directory: DirectoryState = { up: false, reason: 'connecting', since: monotonic() };
  #directorySince = monotonic();
  #everUp = false;

  /** @param joins reports what the joined networks wait for */
  constructor(host: Host, joins: { missing(): string[] } = { missing: () => [] }) {
    this.#host = host;
    this.#joins = joins;
  }

  get directory(): DirectoryState {
    return this.#directory;
  }

  /** When the directory last came up or went down, on the monotonic clock, ms. */
  get directorySince(): number {
    return this.#directorySince;
  }

  onState(state: DirectoryState): void {
    if (state.up !== this.#directory.up) this.#directorySince = monotonic();
    this.#directory = state;
    this.#everUp ||= state.up;
  }

  /** Namespaces and devices that are not served yet, as text, regardless of the directory. */
  unserved(): string[] {
    return [
      ...this.#host.missing().map((name) => `namespace ${name}`),
      ...this.#host.lacking().map((name) => `${name}: another missd serves it`),
      ...this.#host
        .devices()
        .filter((device) => !device.adopted)
        .map((device) => `entries of ${device.name} adopted`),
    ];
  }

  /** The conditions that `/readyz` waits for, as text; empty if ready. */
  missing(): string[] {
    const missing = [...this.unserved(), ...this.#joins.missing()];
    const state = this.#directory;
    if (!state.up && (!this.#everUp || monotonic() - state.since > DIRECTORY_GRACE))
      missing.push(`directory: ${state.reason}`);
    for (const device of this.#host.devices())
      if (!device.adopted) continue;
      else if (!device.verified && state.up)
        missing.push(`entries of ${device.name} compared with the directory`);
      else if (!device.preload && device.strategy !== 'miss' && state.up)
        missing.push(`entries of ${device.name} written in advance`);
    return missing;
  }
}

/**
 * The network that the faults are done to: VNI 200, on every host in a namespace of its own, so that the namespace can
 * be deleted as well as what is in it. Whatever a fault has left, `mend` makes it whole.
 */
import { LabError } from '../../../src/lab/command.ts';
import type { Guest } from '../../../src/lab/guest.ts';
import type { Host } from '../../../src/lab/host.ts';
import type { Words } from '../../../src/lab/namespace.ts';
import { OverlaySegment } from '../../../src/lab/overlay-segment.ts';
import type { Segment } from '../../../src/lab/segment.ts';
import { until } from '../../../src/lab/wait.ts';

export const VICTIM_VNI = 200;

export class Victim {
  readonly host: Host;
  segment: Segment;
  guest: Guest | undefined;
  readonly #n: number;

  static async build(host: Host): Promise<Victim> {
    const victim = new Victim(host);
    await victim.mend();
    return victim;
  }

  private constructor(host: Host) {
    this.host = host;
    this.#n = 40 + host.n;
    this.segment = this.#segment();
  }

  /** Name of the namespace, whether it is there or not. */
  get netns(): string {
    return this.segment.namespace.name;
  }

  /** One `ip` command in the namespace that may fail, for the fault may have taken away what it is about. */
  async ip(...words: Words): Promise<void> {
    await this.segment.namespace.attempt(['ip', ...words.map(String)]);
  }

  async bridge(...words: Words): Promise<void> {
    await this.segment.namespace.attempt(['bridge', ...words.map(String)]);
  }

  /** Deletes the device and its bridge. */
  async removeDevice(): Promise<void> {
    await this.ip('link', 'delete', this.segment.device);
    await this.ip('link', 'delete', this.segment.bridge);
  }

  async removeNamespace(): Promise<void> {
    await this.removeGuest();
    await this.host.namespace.attempt(['ip', 'netns', 'delete', this.netns]);
  }

  async removeGuest(): Promise<void> {
    if (this.guest === undefined) return;
    await this.ip('link', 'delete', this.guest.port);
    await this.host.namespace.attempt(['ip', 'netns', 'delete', this.guest.namespace.name]);
    this.guest = undefined;
  }

  /**
   * From nothing: whatever is left goes first. The kernel takes a deleted namespace apart later (cleanup_net), and until
   * then the host's namespace, where the device sends from, has its VNI still.
   */
  async mend(): Promise<void> {
    const build = async (): Promise<true> => {
      await this.removeNamespace();
      this.segment = this.#segment();
      await this.segment.build();
      return true;
    };
    await until(
      `VNI ${VICTIM_VNI} of host ${this.host.n} to be made again`,
      () => build().catch((error: unknown) => error instanceof LabError && this.#again(error)),
      { timeout: 30_000, every: 50 },
    );
    await this.plugGuest();
  }

  #again(error: LabError): false {
    if (/already exists|File exists/.test(error.message)) return false;
    throw error;
  }

  async plugGuest(): Promise<void> {
    await this.removeGuest();
    this.guest = await this.segment.addGuest({ n: this.#n, dad: false });
  }

  #segment(): Segment {
    return new OverlaySegment(this.host, { vni: VICTIM_VNI });
  }
}

import type { MissBatch, Settled } from '../../../src/model/question.ts';
import { Subject } from 'rxjs';
import { forgetAbsence } from '../../../src/reconcile/changes.ts';
import { resolveMisses } from '../../../src/resolver/pipeline.ts';
import type { ServedDevice } from '../../../src/model/device.ts';
import type { Asker, Miss } from '../../../src/base/vocabulary.ts';
import { GUEST, VNI, VXLAN, World, ip, mac, turns, vtep, watch } from '../fake/world.ts';

export const asker = (n: number): Asker => ({ port: GUEST, lladdr: mac(0xa00 + n), ip: ip(0xa00 + n) });
export const l3 = (n: number, rest: Partial<Miss> = {}): Miss => ({
  layer: 'l3',
  ifindex: VXLAN,
  address: ip(n),
  state: 4,
  count: 1,
  asker: asker(1),
  ...rest,
});
export const l2 = (n: number): Miss => ({
  layer: 'l2',
  ifindex: VXLAN,
  address: mac(n),
  state: 4,
  count: 1,
});

/** The pipeline at work on a device, and its books balanced after every miss. */
export class Asking extends World {
  readonly served: ServedDevice = this.device();
  readonly settled: Settled[] = [];
  readonly #batches = new Subject<MissBatch>();

  constructor() {
    super();
    watch(resolveMisses(this.#batches, this.deps), (some) => this.settled.push(...some));
  }

  get outcomes(): string[] {
    return this.settled.map(({ outcome }) => outcome);
  }

  raise(...misses: Miss[]): void {
    this.#batches.next({ misses, deviceOf: this.deviceOf });
    if (this.unaccounted() !== 0) throw new Error(`${this.unaccounted()} misses unaccounted for`);
  }

  async miss(...misses: Miss[]): Promise<void> {
    this.raise(...misses);
    await turns();
  }

  record(n: number, behind = vtep(2)): void {
    this.directory.set(VNI, 'ip', ip(n), `${mac(n)} ${behind}`);
  }

  /** Word that a record changed, as the keeper takes it. */
  changed(n: number): void {
    forgetAbsence({ type: 'records', keys: [{ vni: VNI, kind: 'ip', address: ip(n) }] }, this.devices);
  }
}

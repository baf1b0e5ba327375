import { type ReconcileOptions, Reconciler } from '../../../src/reconcile/reconciler.ts';
import type { OpenJournal } from '../../../src/reconcile/takeover.ts';
import type { RecordKey } from '../../../src/directory/directory.ts';
import type { ServedDevice } from '../../../src/model/device.ts';
import { World, ip, mac, turns, vtep, watch } from '../fake/world.ts';

export const LIFETIME = 60;
export const IDLE = 3_600;
export const GRACE = 300;

/** A keeper at work in a world of its own, the directory up. */
export class ReconcileWorld extends World {
  readonly reconciler: Reconciler;

  constructor(options: Partial<ReconcileOptions> = {}, openJournal?: OpenJournal) {
    super();
    const all = { lifetime: LIFETIME, idle: IDLE, withdrawalGrace: GRACE, maxEntries: 200_000, ...options };
    this.reconciler = new Reconciler(this.deps, all, () => this.devices, this.log, openJournal);
    watch(this.reconciler.work$());
    this.reconciler.directory(true);
  }

  /** `count` endpoints with records, each with a MAC of its own, all behind the second host. */
  hold(device: ServedDevice, count: number): void {
    for (let n = 1; n <= count; n++) this.endpoint(device, ip(n), mac(n), vtep(2));
  }

  /** Word of changed records, and what follows from it. */
  async changed(...keys: RecordKey[]): Promise<void> {
    this.reconciler.onChange({ type: 'records', keys });
    await turns();
  }

  async gap(): Promise<void> {
    this.reconciler.onChange({ type: 'gap' });
    await turns();
  }

  /** Seconds go by, each with its tick. */
  async pass(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      this.time += 1_000;
      this.reconciler.tick();
      await turns(2);
    }
    await turns();
  }

  async audit(): Promise<void> {
    this.reconciler.audit(this.devices);
    await turns();
  }

  /** Lets the audit end, which takes its turns with other work. */
  settled(): Promise<void> {
    return turns(64);
  }

  /** What the audit and the rechecks corrected, by action. */
  corrections(): Record<string, number> {
    return Object.fromEntries(this.counters.reconcileChanges);
  }
}

export const ipKey = (n: number): RecordKey => ({ vni: 100, kind: 'ip', address: ip(n) });
export const macKey = (n: number): RecordKey => ({ vni: 100, kind: 'mac', address: mac(n) });

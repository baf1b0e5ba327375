import { BehaviorSubject, type Subscription } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type NetworkRestored, DirectoryError } from '../../../src/directory/directory.ts';
import { LeaseTable } from '../../../src/directory/leases.ts';
import { makeNetwork } from '../../../src/directory/network-schema.ts';
import type { HostIdentity } from '../../../src/directory/ownership.ts';
import { type HeldPrefix, NoPrefixLeft, type PrefixPublished } from '../../../src/directory/prefixes.ts';
import { NetworkCounters } from '../../../src/publish/network-counters.ts';
import { NetworkKeeper } from '../../../src/publish/network-keeper.ts';

const GREEN = makeNetwork({ name: 'green', vni: 200, mode: 'routed', subnet: '10.20.0.0/16' });
const CIDR = '10.20.7.0/24';
const MAC = '02:f0:00:00:00:01';
const LENGTH = 30_000;

/** Lease, directory and keeper of one host. */
class Scene {
  now = 0;
  readonly #held$ = new BehaviorSubject<HostIdentity | undefined>(undefined);
  /** When the lease ends, ms. */
  until = 0;
  checks = 0;
  readonly published: HeldPrefix[] = [];
  answer: PrefixPublished | Error = { outcome: 'ok', since: 5 };
  restored: NetworkRestored | Error = 'there';
  restores = 0;
  /** Values by CIDR, as the feed told them. */
  readonly leases = new Map<string, string>();
  free: string | Error = CIDR;
  readonly lost: string[] = [];
  readonly said: string[] = [];
  readonly broken: unknown[] = [];
  readonly counters = new NetworkCounters();
  readonly keeper: NetworkKeeper;
  readonly #work: Subscription;

  constructor() {
    const held = (): HostIdentity | undefined => this.#held$.value;
    const remaining = (): number => Math.max(0, this.until - this.now);
    const said = (text: string): void => {
      this.said.push(text);
    };
    const answered = <T>(answer: T | Error): Promise<T> =>
      answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    this.keeper = new NetworkKeeper(
      GREEN,
      {
        id: 'h1',
        length: LENGTH,
        held$: this.#held$,
        get held() {
          return held();
        },
        get remaining() {
          return remaining();
        },
        check: () => {
          this.checks++;
        },
      },
      {
        directory: {
          prefixes: {
            acquire: () => answered(this.free),
            publish: (_network, _host, prefix) => {
              this.published.push(prefix);
              return answered(this.answer);
            },
            release: () => Promise.resolve([CIDR]),
            withdraw: () => Promise.resolve(0),
          },
          leases: () => new LeaseTable(this.leases),
          restoreNetwork: () => {
            this.restores++;
            return answered(this.restored);
          },
        },
        lost: (name) => this.lost.push(name),
        counters: this.counters,
        log: { warn: said, info: said } as never,
        complaints: { warn: (what: string, example: string) => said(`${what}: ${example}`) } as never,
        faults: { broken: (_lane, error) => this.broken.push(error), overflown: () => undefined },
        now: () => this.now,
        random: () => 0,
      },
    );
    this.#work = this.keeper.work$().subscribe({ error: (error: unknown) => this.broken.push(error) });
  }

  /** The lease is taken, by a new incarnation, or renewed. */
  hold(incarnation = 'a'): void {
    this.until = this.now + LENGTH;
    if (this.#held$.value?.incarnation !== incarnation)
      this.#held$.next({ id: 'h1', incarnation, vtep: '10.99.0.1' });
  }

  lose(): void {
    this.#held$.next(undefined);
  }

  async pass(milliseconds: number): Promise<void> {
    this.now += milliseconds;
    await vi.advanceTimersByTimeAsync(milliseconds);
  }

  end(): void {
    this.#work.unsubscribe();
    expect(this.broken).toEqual([]);
  }
}

let scene: Scene;
beforeEach(() => {
  vi.useFakeTimers();
  scene = new Scene();
});
afterEach(() => {
  scene.end();
  vi.useRealTimers();
});

async function published(): Promise<void> {
  scene.hold();
  scene.keeper.joined(GREEN, CIDR, MAC);
  await scene.pass(1);
  expect(scene.published).toEqual([{ cidr: CIDR, mac: MAC }]);
  scene.published.length = 0;
}

describe('acquisition', () => {
  it('waits for the host lease', async () => {
    const acquired = scene.keeper.acquire();
    await scene.pass(1000);
    scene.hold();
    expect(await acquired).toBe(CIDR);
    expect(scene.counters.prefixes.acquired).toBe(1);
  });

  it('fails without a lease with a readable error, and the caller tries again', async () => {
    const acquired = expect(scene.keeper.acquire()).rejects.toMatchObject({
      name: 'DirectoryError',
      message: 'host h1 has no lease in VNI 200',
    });
    await scene.pass(2000);
    await acquired;
  });

  it('counts attempts without a free prefix', async () => {
    scene.hold();
    scene.free = new NoPrefixLeft(GREEN);
    await expect(scene.keeper.acquire()).rejects.toThrow('network green: no /24 of 10.20.0.0/16 is free');
    expect(scene.counters.prefixes).toMatchObject({ acquired: 0, exhausted: 1 });
  });
});

describe('a prefix', () => {
  it('is published when device and bridge are set up, and again at each renewal with its first time', async () => {
    await published();
    await scene.pass(LENGTH / 3);
    expect(scene.published).toEqual([{ cidr: CIDR, mac: MAC, since: 5 }]);
  });

  it.each([{ type: 'gap' as const }, { type: 'flushed' as const }, { type: 'leases' as const, vni: 200 }])(
    'is asserted at once after %j',
    async (change) => {
      await published();
      scene.keeper.onChange(change);
      await scene.pass(500);
      expect(scene.published).toEqual([{ cidr: CIDR, mac: MAC, since: 5 }]);
    },
  );

  it('is not published for changes of records, of other VNIs and of other hosts', async () => {
    await published();
    scene.leases.set(CIDR, `${MAC} 10.99.0.1`).set('10.20.8.0/24', '02:f0:00:00:00:02 10.99.0.2');
    scene.keeper.onChange({ type: 'leases', vni: 200 });
    scene.keeper.onChange({ type: 'records', keys: [] });
    scene.keeper.onChange({ type: 'leases', vni: 100 });
    await scene.pass(500);
    expect(scene.published).toEqual([]);
  });

  it('is asserted with its age by another incarnation if the lease was lost and did not end', async () => {
    await published();
    await scene.pass(5000);
    scene.hold('b');
    await scene.pass(1);
    expect(scene.published).toEqual([{ cidr: CIDR, mac: MAC, since: 5 }]);
  });

  it('is asserted without its age if the lease ended: another host may have it', async () => {
    await published();
    scene.lose();
    await scene.pass(LENGTH + 1);
    expect(scene.published).toEqual([]);
    scene.hold('b');
    await scene.pass(1);
    expect(scene.published).toEqual([{ cidr: CIDR, mac: MAC }]);
    expect(scene.restores).toBe(0);
  });

  it('that belongs to another host is given up, with a log line', async () => {
    await published();
    scene.answer = { outcome: 'taken', by: 'h2' };
    scene.keeper.onChange({ type: 'gap' });
    await scene.pass(500);
    expect(scene.lost).toEqual(['green']);
    expect(scene.counters.prefixes.yielded).toBe(1);
    expect(scene.said.join('\n')).toContain(`prefix ${CIDR} is that of host h2; this host gives it up`);
    scene.answer = { outcome: 'ok', since: 9 };
    scene.keeper.joined(GREEN, '10.20.8.0/24', MAC);
    await scene.pass(1);
    expect(scene.published.at(-1)).toEqual({ cidr: '10.20.8.0/24', mac: MAC });
  });

  it('waits for the lease that another process of this host has', async () => {
    await published();
    scene.answer = { outcome: 'lease' };
    scene.keeper.onChange({ type: 'gap' });
    await scene.pass(500);
    expect(scene.checks).toBe(1);
  });

  it('is tried again while the directory does not answer', async () => {
    await published();
    scene.answer = new DirectoryError('no answer');
    scene.keeper.onChange({ type: 'gap' });
    await scene.pass(100);
    scene.answer = { outcome: 'ok', since: 5 };
    await scene.pass(200);
    expect(scene.published).toHaveLength(2);
    expect(scene.said.join('\n')).toContain('network green: its prefix and record cannot be kept: no answer');
  });

  it('whose record was written by hand is counted once', async () => {
    await published();
    scene.answer = { outcome: 'manual', since: 5 };
    for (let round = 0; round < 3; round++) await scene.pass(LENGTH / 3);
    expect(scene.counters.prefixes.manual).toBe(1);
  });
});

describe('the record of a network', () => {
  it('that the directory has lost is written again, with a log line', async () => {
    await published();
    scene.restored = 'restored';
    scene.keeper.onChange({ type: 'flushed' });
    await scene.pass(500);
    expect([scene.restores, scene.counters.restored]).toEqual([1, 1]);
    expect(scene.said.join('\n')).toContain('network green: the directory had lost its record');
  });
});

/**
 * Whatever the kernel or the directory throws, from whichever of their methods, while everything is going on: the daemon
 * lives, the fault is counted or said, and the next miss is answered. The methods are read from the interfaces, so that a
 * new one is in here by itself.
 */
import { readFileSync } from 'node:fs';
import { pino } from 'pino';
import { Subject, defer, merge } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Daemon } from '../../../src/daemon/daemon.ts';
import { NUD_INCOMPLETE, NUD_STALE } from '../../../src/kernel/netlink.ts';
import type { Link, Miss } from '../../../src/base/vocabulary.ts';
import { optionsOf } from '../fake/daemon.ts';
import { FakeDirectory } from '../fake/directory.ts';
import { FakeKernel, FakeNamespace } from '../fake/kernel.ts';
import { BRIDGE, GUEST, ROUTED, VXLAN, ip, link, mac, turns, vtep, vxlanLink } from '../fake/world.ts';

const FLAGS = [
  '--lifetime=3',
  '--idle=4',
  '--audit=2',
  '--broadcast=100',
  '--max-entries=40',
  '--local=10.99.0.9',
];
const STRATEGIES = ['--strategy=101=routes', '--strategy=102=preload'];
const AHEAD = 12;

/** Methods of an interface, as its source has them: each throws, and rejects where it promises something. */
function methodsOf(file: string, name: string): [method: string, how: 'throws' | 'rejects'][] {
  const source = readFileSync(new URL(`../../../src/${file}`, import.meta.url), 'utf8');
  const [, body = ''] = new RegExp(`export interface ${name} \\{\\n([\\s\\S]*?)\\n\\}`).exec(source) ?? [];
  return [...body.matchAll(/^ {2}(\w+)\(.*?\): (.*);$/gm)].flatMap(([, method = '', returns = '']) => [
    [method, 'throws'],
    ...(returns.includes('Promise<') ? [[method, 'rejects'] as [string, 'rejects']] : []),
  ]);
}

/** Not called by what happens here: at the start or the end alone, by a watchdog, by other commands, or in their own tests. */
const UNUSED = new Set([
  ...['neglected', 'bridgeFdb', 'start', 'health', 'close', 'leave', 'unlock', 'isEmpty', 'writeRoutes'],
  ...['throttle', 'limitBroadcasts', 'broadcastsDropped', 'lastAsked', 'setMulticastRouter', 'followFrames'],
  ...['network', 'probe', 'isDadSilenced', 'restoreNetwork'],
]);

/** What it tells may be had otherwise: without unix_diag the name alone is the lock. */
const OTHERWISE = new Set(['namedSockets']);

const KERNEL = methodsOf('kernel/kernel.ts', 'Namespace');
const DIRECTORY = methodsOf('directory/directory.ts', 'Directory');

class Trial {
  readonly namespace = new FakeNamespace(() => performance.now());
  readonly directory = new FakeDirectory();
  readonly lines: string[] = [];
  readonly failures: string[] = [];
  readonly daemon: Daemon;
  /** Ends a stream with an error. */
  readonly break = {
    events$: new Subject<never>(),
    changes$: new Subject<never>(),
    state$: new Subject<never>(),
  };
  /** Of the method that fails. */
  calls = 0;
  #failing: { port: object; method: string; how: 'throws' | 'rejects' } | undefined;

  constructor() {
    const kernel = new FakeKernel();
    const open = kernel.open.bind(kernel);
    kernel.open = (path) => {
      this.namespace.closed = false;
      return open(path);
    };
    kernel.namespaces.set(null, this.namespace);
    for (const one of new Set(KERNEL.map(([method]) => method))) this.#intercept(this.namespace, one);
    for (const one of new Set(DIRECTORY.map(([method]) => method))) this.#intercept(this.directory, one);
    this.#breakable(this.namespace, 'events$');
    this.#breakable(this.directory, 'changes$');
    this.#breakable(this.directory, 'state$');
    for (const one of LINKS) this.namespace.setLink(one);
    for (let n = 1; n <= 9; n++)
      for (const vni of [100, 102]) this.directory.set(vni, 'ip', ip(n), `${mac(1 + (n % 5))} ${vtep(2)}`);
    this.directory.lease(101, '20.1.2.0/24', `${mac(0x102)} ${vtep(2)}`);
    const log = pino({ base: null }, { write: (line: string) => void this.lines.push(line) });
    this.daemon = new Daemon(optionsOf([...FLAGS, ...STRATEGIES]), kernel, this.directory, log);
    this.daemon.onFailure((reason) => this.failures.push(reason));
    this.daemon.start();
  }

  /** Faults counted. */
  get counted(): number {
    return Object.values(this.daemon.counters.internalErrors).reduce((sum, count) => sum + count, 0);
  }

  fail(port: object, method: string, how: 'throws' | 'rejects'): void {
    this.#failing = { port, method, how };
  }

  mend(): void {
    this.#failing = undefined;
  }

  /** Seconds go by. */
  async pass(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      await vi.advanceTimersByTimeAsync(1_000);
      await turns(4);
    }
  }

  async miss(...misses: Miss[]): Promise<void> {
    this.namespace.tell({ type: 'misses', misses });
    await vi.advanceTimersByTimeAsync(10);
    await turns();
  }

  /** Something of everything that may happen. */
  async everything(round: number): Promise<void> {
    const { namespace, directory } = this;
    const first = 1 + round * 20;
    for (let n = first; n < first + 20; n++) directory.set(100, 'ip', ip(n), `${mac(n)} ${vtep(3)}`);
    for (const device of this.daemon.host.devices())
      if (device.ifindex === (round === 1 ? VXLAN : AHEAD)) device.namespace.learn(device, true);
    await this.miss(...[1, 2, 3, first, first + 1].map((n) => l3(n)), l2(first + 2), routed(round));
    await this.miss(...Array.from({ length: 18 }, (_, n) => l3(first + n)));
    namespace.tell({ type: 'rows', changes: [] });
    namespace.tell({ type: 'malformed', count: 1 });
    for (const socket of ['miss', 'table', 'link'] as const) namespace.tell({ type: 'overrun', socket });
    directory.set(100, 'ip', ip(1), `${mac(9)} ${vtep(4)}`);
    directory.set(100, 'ip', ip(500), `${mac(500)} ${vtep(4)}`);
    const keys = [1, 500].map((n) => ({ vni: 100, kind: 'ip' as const, address: ip(n) }));
    directory.change({ type: 'records', keys });
    directory.change({ type: 'records', keys: keys.map((key) => ({ ...key, vni: 102 })) });
    directory.delete(100, 'ip', ip(2));
    directory.change({ type: 'records', keys: [{ vni: 100, kind: 'ip', address: ip(2) }] });
    for (const type of ['gap', 'flushed'] as const) directory.change({ type });
    directory.change({ type: 'leases', vni: 101 });
    await this.pass(1);
    // What is put out of step by a device that goes down.
    const [, , vx] = LINKS;
    if (vx !== undefined) for (const up of [false, true]) namespace.setLink({ ...vx, up });
    namespace.setLink({ ...vxlanLink(70 + round, false, { vni: 103 }), name: 'late' });
    const address = { ifindex: 3, ip: `10.99.1.${round}` };
    namespace.tell({ type: 'address', removed: false, address });
    directory.fail('away');
    await this.pass(1);
    directory.recover();
    namespace.removeLink(70 + round);
    await this.pass(5);
  }

  #intercept(port: object, method: string): void {
    const original = Reflect.get(port, method) as (...args: unknown[]) => unknown;
    expect(original, `the fake has no ${method}`).toBeTypeOf('function');
    Reflect.set(port, method, (...args: unknown[]): unknown => {
      const failing = this.#failing?.port === port && this.#failing.method === method;
      if (!failing) return original.apply(port, args);
      this.calls++;
      const error = new Error(`injected into ${method}`);
      if (this.#failing?.how === 'rejects') return Promise.reject(error);
      throw error;
    });
  }

  #breakable(port: FakeNamespace | FakeDirectory, name: keyof Trial['break']): void {
    const original = Reflect.get(port, name) as FakeNamespace['events$'];
    Reflect.set(
      port,
      name,
      defer(() => {
        this.break[name] = new Subject<never>();
        return merge(original, this.break[name]);
      }),
    );
  }
}

const LINKS: Link[] = [
  link('br0', BRIDGE, { kind: 'bridge', bridge: { vlanFiltering: false } }),
  link('p0', GUEST, { master: BRIDGE }),
  vxlanLink(VXLAN, true),
  vxlanLink(ROUTED, false, { vni: 101 }),
  link('br1', 11, { kind: 'bridge', bridge: { vlanFiltering: false } }),
  { ...vxlanLink(AHEAD, true, { vni: 102 }, 'ahead'), master: 11 },
  link('p1', 13, { master: 11 }),
];

const asker = { port: GUEST, lladdr: mac(0xa01), ip: ip(0xa01) };
const l3 = (n: number): Miss => ({
  ...{ layer: 'l3', ifindex: VXLAN, address: ip(n), state: NUD_STALE, count: 1, asker },
});
const l2 = (n: number): Miss => ({
  layer: 'l2',
  ifindex: VXLAN,
  address: mac(n),
  state: NUD_STALE,
  count: 1,
});
const routed = (n: number): Miss => ({
  ...{ layer: 'l3', ifindex: ROUTED, address: `20.1.2.${10 + n}`, state: NUD_INCOMPLETE, count: 1 },
});

let trial: Trial;

/** The daemon is as it was: nothing ended, and whoever asks next is answered. */
async function expectAlive(): Promise<void> {
  trial.mend();
  await trial.pass(12);
  expect(trial.failures).toEqual([]);
  trial.directory.set(100, 'ip', ip(999), `${mac(999)} ${vtep(2)}`);
  await trial.miss(l3(999));
  await trial.pass(2);
  expect(trial.namespace.neighbour(VXLAN, ip(999))?.lladdr).toBe(mac(999));
  expect(trial.namespace.fdbEntry(VXLAN, mac(999))?.vtep).toBe(vtep(2));
  expect(trial.daemon.readiness.missing()).toEqual([]);
  expect(trial.daemon.admission.inFlight).toBe(0);
}

beforeEach(async () => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance', 'Date'],
  });
  trial = new Trial();
  await trial.pass(2);
  await trial.everything(1);
});

afterEach(async () => {
  trial.mend();
  await trial.daemon.stop();
  vi.useRealTimers();
});

it('counts no error without a fault', async () => {
  await trial.everything(2);
  await expectAlive();
  expect(trial.counted).toBe(0);
});

describe.each([
  ['the kernel', KERNEL, (): object => trial.namespace],
  ['the directory', DIRECTORY, (): object => trial.directory],
] as const)('%s', (_, methods, port) => {
  it.each(methods)('%s %s, and the daemon goes on', async (method, how) => {
    trial.fail(port(), method, how);
    await trial.everything(2);
    await trial.pass(11);
    const { calls, counted } = trial;
    await expectAlive();
    const said = trial.lines.some((line) => line.includes(`injected into ${method}`));
    const told = counted > 0 || said;
    if (!OTHERWISE.has(method)) expect({ calls, told }).toEqual({ calls, told: calls > 0 });
    expect(calls > 0 || UNUSED.has(method)).toBe(true);
  });
});

it.each(['events$', 'changes$', 'state$'] as const)(
  '%s ends with an error, and is subscribed to again',
  async (name) => {
    trial.break[name].error(new Error(`injected into ${name}`));
    await trial.pass(7);
    await trial.everything(2);
    await expectAlive();
    expect(trial.lines.some((line) => line.includes(`injected into ${name}`))).toBe(true);
  },
);

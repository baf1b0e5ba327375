/**
 * The addon on the real kernel, in namespaces of its own:
 *
 *     guest a ── p0 ─┐
 *                    br0 ─ vx ═══ under ═══ vx ─ br0 ── p0 ── guest r
 *     guest b ── p1 ─┘
 *          host (what is tested)             far (an ordinary VXLAN host)
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Subscription } from 'rxjs';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  isGone,
  isTaken,
  KernelError,
  type EntryWrite,
  type KernelEvent,
  type Namespace,
} from '../../src/kernel/kernel.ts';
import { LinuxKernel } from '../../src/kernel/linux.ts';
import { NTF_EXT_LEARNED, NTF_SELF, NUD_NOARP, NUD_REACHABLE, NUD_STALE } from '../../src/kernel/netlink.ts';
import type { Link, Miss } from '../../src/vocabulary.ts';

const prefix = `mdk-${process.pid}`;
const name = (role: string): string => `${prefix}-${role}`;
const path = (role: string): string => `/run/netns/${name(role)}`;
/** Arguments of nsenter; `ip -n` and `ip netns exec` remount /sys and refuse to in a chroot. */
const inside = (role: string, command: string): string[] => [`--net=${path(role)}`, ...command.split(' ')];
const ip = (role: string, command: string): void => {
  execFileSync('nsenter', inside(role, `ip ${command}`));
};

const made: string[] = [];
function namespace(role: string): void {
  execFileSync('ip', ['netns', 'add', name(role)]);
  made.push(role);
  ip(role, 'link set lo up');
}
function remove(role: string): void {
  made.splice(made.indexOf(role), 1);
  execFileSync('ip', ['netns', 'del', name(role)]);
}

/** Those of runs that were killed. */
function removeLeftovers(): void {
  const listed = execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' });
  for (const [left, pid] of listed.matchAll(/^mdk-(\d+)-\w+/gm)) {
    if (!existsSync(`/proc/${pid ?? ''}`)) execFileSync('ip', ['netns', 'del', left]);
  }
}

const A = '02:00:00:00:00:0a';
const B = '02:00:00:00:00:0b';
const R = '02:00:00:00:00:0c';

function host(role: string, vtep: string, device: string): void {
  ip(role, `addr add ${vtep}/24 dev under`);
  ip(role, 'link set under up');
  ip(role, 'link add br0 type bridge');
  ip(role, `link add vx type vxlan id 100 local ${vtep} dev under dstport 4789 ${device}`);
  ip(role, 'link set vx master br0 up');
  ip(role, 'link set br0 up');
}
function guest(role: string, on: string, port: string, lladdr: string, last: string): void {
  namespace(role);
  ip(on, `link add ${port} type veth peer name eth0 netns ${name(role)}`);
  ip(on, `link set ${port} master br0 up`);
  ip(role, `link set eth0 address ${lladdr} up`);
  ip(role, `addr add 20.0.0.${last}/24 dev eth0`);
  ip(role, `addr add 2001:db8::${last}/64 dev eth0 nodad`);
}

/** Whether the guest's one ping is answered within 0.8 s: it would ask for the address again after 1 s. */
async function ping(role: string, address: string): Promise<boolean> {
  const child = spawn('nsenter', inside(role, `ping -c1 -W0.8 ${address}`), { stdio: 'ignore' });
  const [code] = (await once(child, 'exit')) as [number];
  return code === 0;
}
/** The same with this process, and so its event loop, at a standstill. */
function pingBlocking(role: string, options: string, address: string): void {
  try {
    execFileSync('nsenter', inside(role, `ping ${options} ${address}`), { stdio: 'ignore' });
  } catch {
    // No answer: that is what is wanted.
  }
}

/** Keeps what a namespace says, and waits for what it is to say. */
class Listener {
  readonly events: KernelEvent[] = [];
  readonly #subscription: Subscription;
  #wake: () => void = () => undefined;

  constructor(readonly ns: Namespace) {
    this.#subscription = ns.events$.subscribe({
      next: (event) => {
        this.events.push(event);
        this.#wake();
      },
      error: (error: unknown) => {
        throw error;
      },
    });
  }

  /** The first such thing among what was said and what will be; the test's own timeout ends the wait. */
  async until<T>(find: (event: KernelEvent) => T | undefined): Promise<T> {
    for (let at = 0; ; at++) {
      while (at >= this.events.length) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
      const event = this.events[at];
      const found = event && find(event);
      if (found !== undefined) return found;
    }
  }
  miss(address: string): Promise<Miss> {
    return this.until((event) =>
      event.type === 'misses' ? event.misses.find((miss) => miss.address === address) : undefined,
    );
  }
  link(matches: (link: Link) => boolean, removed = false): Promise<Link> {
    return this.until((event) =>
      event.type === 'link' && event.removed === removed && matches(event.link) ? event.link : undefined,
    );
  }
  clear(): void {
    this.events.length = 0;
  }
  close(): void {
    this.#subscription.unsubscribe();
  }
}

const kernel = new LinuxKernel();
/** Closed when the test is over, whatever came of it. */
function listen(role: string, receiveBuffer = 1 << 20): Listener {
  const listener = new Listener(kernel.open(path(role), { receiveBuffer }));
  onTestFinished(() => {
    listener.close();
  });
  return listener;
}

let vx = 0;
let br0 = 0;
let p0 = 0;
let p1 = 0;

const fdb = (lladdr: string, more: Partial<EntryWrite & { table: 'fdb' }> = {}): EntryWrite => ({
  table: 'fdb',
  op: 'create',
  ifindex: vx,
  state: NUD_REACHABLE,
  flags: NTF_SELF | NTF_EXT_LEARNED,
  lladdr,
  vtep: '10.99.0.2',
  ...more,
});
const neighbour = (address: string, more: Partial<EntryWrite & { table: 'neighbour' }> = {}): EntryWrite => ({
  table: 'neighbour',
  op: 'create',
  ifindex: vx,
  state: NUD_NOARP,
  flags: NTF_EXT_LEARNED,
  ip: address,
  lladdr: R,
  protocol: 77,
  ...more,
});
const failures = (ns: Namespace, writes: EntryWrite[]): [number, string, string][] =>
  ns.write(writes).map(({ index, error }) => [index, error.code, error.extack]);

beforeAll(async () => {
  if (process.getuid?.() !== 0) throw new Error('the lab needs root');
  removeLeftovers();
  namespace('host');
  namespace('far');
  ip('host', `link add under type veth peer name under netns ${name('far')}`);
  host('host', '10.99.0.1', 'nolearning proxy l2miss l3miss');
  host('far', '10.99.0.2', 'remote 10.99.0.1');
  guest('a', 'host', 'p0', A, '10');
  guest('b', 'host', 'p1', B, '11');
  guest('r', 'far', 'p0', R, '12');
  for (const last of ['13', '14']) ip('r', `addr add 20.0.0.${last}/24 dev eth0`);
  for (const last of ['13', '14']) ip('r', `addr add 2001:db8::${last}/64 dev eth0 nodad`);
  // A proxy tunnels no ARP reply, so the far guest cannot ask for the near one.
  ip('r', `neigh add 20.0.0.10 lladdr ${A} dev eth0 nud permanent`);
  ip('r', `neigh add 2001:db8::10 lladdr ${A} dev eth0 nud permanent`);

  const ns = kernel.open(path('host'), { receiveBuffer: 1 << 20 });
  const links = await ns.links();
  const index = (link: string): number => links.find((each) => each.name === link)?.ifindex ?? 0;
  [vx, br0, p0, p1] = [index('vx'), index('br0'), index('p0'), index('p1')];
  ns.events$.subscribe().unsubscribe();
});

afterAll(() => {
  for (const role of [...made]) remove(role);
});

describe('misses', () => {
  it.each([
    ['IPv4', '20.0.0.99', '20.0.0.10'],
    ['IPv6', '2001:db8::99', '2001:db8::10'],
  ])('of layer 3 name the guest that asked (%s)', async (_, address, asker) => {
    const listener = listen('host');
    listener.ns.setPorts([{ port: p0, vxlan: vx }]);
    await ping('a', address);
    expect(await listener.miss(address)).toEqual({
      layer: 'l3',
      ifindex: vx,
      address,
      state: NUD_STALE,
      count: expect.any(Number) as number,
      asker: { port: p0, lladdr: A, ip: asker },
    });
  });

  it('of ports nobody mapped name nobody', async () => {
    const listener = listen('host');
    listener.ns.setPorts([{ port: p1, vxlan: vx }]);
    await ping('a', '20.0.0.98');
    expect(await listener.miss('20.0.0.98')).not.toHaveProperty('asker');
  });

  it('name every one of the guests that asked at the same time', async () => {
    const listener = listen('host');
    listener.ns.setPorts([
      { port: p0, vxlan: vx },
      { port: p1, vxlan: vx },
    ]);
    pingBlocking('a', '-c1 -W0.1', '20.0.0.97');
    pingBlocking('b', '-c1 -W0.1', '20.0.0.97');
    const misses = await listener.until((event) => (event.type === 'misses' ? event.misses : undefined));
    expect(misses.filter(({ address }) => address === '20.0.0.97').map(({ asker }) => asker?.lladdr)).toEqual(
      expect.arrayContaining([A, B]),
    );
  });

  it('of layer 2 name the MAC, and are folded while the loop is busy', async () => {
    const listener = listen('host');
    ip('a', 'neigh replace 20.0.0.96 lladdr 02:00:00:00:00:96 dev eth0 nud permanent');
    pingBlocking('a', '-c5 -i0.01 -W0.1', '20.0.0.96');
    expect(await listener.miss('02:00:00:00:00:96')).toEqual({
      layer: 'l2',
      ifindex: vx,
      address: '02:00:00:00:00:96',
      state: NUD_STALE,
      count: 5,
    });
  });

  it('are heard again after the socket overflowed, every time', async () => {
    const listener = listen('host', 4096);
    ip('a', 'neigh replace 20.0.0.95 lladdr 02:00:00:00:00:95 dev eth0 nud permanent');
    for (const address of ['20.0.0.94', '20.0.0.93']) {
      listener.clear();
      pingBlocking('a', '-c100 -i0.002 -W0.1', '20.0.0.95');
      const socket = await listener.until((event) => (event.type === 'overrun' ? event.socket : undefined));
      expect(socket).toBe('miss');
      await ping('a', address);
      expect((await listener.miss(address)).layer).toBe('l3');
    }
  });
});

describe('tables', () => {
  it('take writes, give single rows and whole dumps back', async () => {
    const { ns } = listen('host');
    const mac = '02:00:00:00:01:01';
    const began = performance.now();
    expect(
      failures(ns, [fdb(mac), neighbour('20.0.0.50', { lladdr: mac }), neighbour('2001:db8::50')]),
    ).toEqual([]);

    expect(
      ns.getNeighbours([
        { ifindex: vx, ip: '20.0.0.50' },
        { ifindex: vx, ip: '20.0.0.51' },
      ]),
    ).toEqual([
      { ifindex: vx, ip: '20.0.0.50', lladdr: mac, state: NUD_NOARP, flags: NTF_EXT_LEARNED, protocol: 77 },
      undefined,
    ]);
    expect(await ns.neighbours(vx)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ ip: '20.0.0.50', protocol: 77 }),
        expect.objectContaining({ ip: '2001:db8::50', protocol: 77 }),
      ]),
    );
    expect((await ns.neighbours(br0)).filter(({ protocol }) => protocol === 77)).toEqual([]);

    // Only the clock can tell whether the kernel's times are read in the right unit.
    await wait(300);
    const [row, none, elsewhere] = ns.getFdb([
      { ifindex: vx, lladdr: mac },
      { ifindex: vx, lladdr: '02:00:00:00:01:02' },
      { ifindex: 999_999, lladdr: mac },
    ]);
    const elapsed = performance.now() - began;
    expect(row).toMatchObject({
      ifindex: vx,
      lladdr: mac,
      vtep: '10.99.0.2',
      state: NUD_REACHABLE,
      master: 0,
    });
    expect(row?.flags).toBe(NTF_SELF | NTF_EXT_LEARNED);
    expect(row?.updatedAgo).toBeGreaterThan(200);
    expect(row?.updatedAgo).toBeLessThanOrEqual(elapsed + 20);
    expect([none, elsewhere]).toEqual([undefined, undefined]);
    expect((await ns.fdb(vx)).map(({ lladdr }) => lladdr)).toContain(mac);

    expect(
      failures(ns, [
        neighbour('20.0.0.50', { op: 'delete' }),
        neighbour('2001:db8::50', { op: 'delete' }),
        fdb(mac, { op: 'delete' }),
      ]),
    ).toEqual([]);
    expect((await ns.fdb(vx)).map(({ lladdr }) => lladdr)).not.toContain(mac);
  });

  it('refuse entry by entry, in the kernel’s words, and take the others', () => {
    const { ns } = listen('host');
    const [first, second] = ['02:00:00:00:02:01', '02:00:00:00:02:02'];
    const refusals = ns.write([
      fdb(first),
      fdb(first),
      fdb('02:00:00:00:02:03', { vtep: '2001:db8:99::2' }),
      fdb('02:00:00:00:02:04', { ifindex: 999_999 }),
      neighbour('20.0.0.60', { op: 'delete' }),
      fdb(second),
    ]);
    expect(refusals.map(({ index, error }) => [index, error.code, error.errno, error.extack])).toEqual([
      [1, 'EEXIST', 17, ''],
      [2, 'EAFNOSUPPORT', 97, ''],
      [3, 'ENODEV', 19, 'unknown ifindex'],
      [4, 'ENOENT', 2, ''],
    ]);
    const [exists, , device, absent] = refusals.map(({ error }) => error);
    expect(exists).toBeInstanceOf(KernelError);
    expect(exists && isTaken(exists)).toBe(true);
    expect(device?.message).toBe('create fdb: ENODEV (unknown ifindex)');
    expect(absent && isGone(absent)).toBe(true);
    expect(
      ns.getFdb([first, second].map((lladdr) => ({ ifindex: vx, lladdr }))).map((row) => row?.lladdr),
    ).toEqual([first, second]);
    expect(failures(ns, [fdb(first, { op: 'delete' }), fdb(second, { op: 'delete' })])).toEqual([]);
  });

  it('number refusals through many sends, and dump what is there', async () => {
    const { ns } = listen('host');
    const mac = (n: number): string =>
      `02:00:00:03:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}`;
    // Every seventh repeats the one before it.
    const writes = Array.from({ length: 3000 }, (_, n) => fdb(mac(n % 7 === 6 ? n - 1 : n)));
    const repeated = writes.flatMap((_, n) => (n % 7 === 6 ? [n] : []));
    expect(ns.write(writes).map(({ index }) => index)).toEqual(repeated);
    const mine = (await ns.fdb(vx)).filter(({ lladdr }) => lladdr.startsWith('02:00:00:03:'));
    expect(mine).toHaveLength(writes.length - repeated.length);
    const keys = writes.map(({ lladdr }) => ({ ifindex: vx, lladdr }));
    expect(ns.getFdb(keys).map((row) => row?.lladdr)).toEqual(writes.map(({ lladdr }) => lladdr));
    ns.write(writes.map((write) => ({ ...write, op: 'delete' })));
    expect((await ns.fdb(vx)).filter(({ lladdr }) => lladdr.startsWith('02:00:00:03:'))).toEqual([]);
  });

  it('append remotes to a broadcast entry', async () => {
    const { ns } = listen('host');
    const everybody = 'ff:ff:ff:ff:ff:ff';
    const remotes = ['10.99.0.2', '10.99.0.3'];
    const writes = remotes.map((vtep) => fdb(everybody, { op: 'append', vtep }));
    expect(failures(ns, writes)).toEqual([]);
    const rows = (await ns.fdb(vx)).filter(({ lladdr }) => lladdr === everybody);
    expect(rows.map(({ vtep }) => vtep).sort()).toEqual(remotes);
    expect(
      failures(
        ns,
        writes.map((write) => ({ ...write, op: 'delete' })),
      ),
    ).toEqual([]);
  });

  it('of a bridge name the port a guest is behind', async () => {
    const { ns } = listen('host');
    await ping('a', '20.0.0.92');
    const [row, none] = ns.getBridgeFdb([
      { bridge: br0, lladdr: A },
      { bridge: br0, lladdr: '02:00:00:00:09:09' },
    ]);
    expect(row).toMatchObject({ ifindex: p0, lladdr: A, master: br0 });
    expect(none).toBeUndefined();
    const rows = await ns.bridgeFdb(br0);
    expect(rows).toContainEqual(expect.objectContaining({ ifindex: p0, lladdr: A, master: br0 }));
    expect(rows.filter(({ master }) => master !== br0)).toEqual([]);
  });

  it('of addresses are those of this namespace, or of one beside it', async () => {
    const { ns } = listen('host');
    expect((await ns.addresses()).map((each) => each.ip)).toContain('10.99.0.1');
    const under = (await ns.links()).find((link) => link.name === 'under');
    const far = await ns.addresses(under?.linkNetnsid);
    expect(far.map((each) => each.ip)).toContain('10.99.0.2');
    expect(far.map((each) => each.ip)).not.toContain('10.99.0.1');
    await expect(ns.addresses(4711)).rejects.toThrow(KernelError);
  });
});

describe('announce', () => {
  it.each([
    ['one guest, IPv4', '20.0.0.12', true],
    ['everybody, IPv4', '20.0.0.13', false],
    ['one guest, IPv6', '2001:db8::12', true],
    ['everybody, IPv6', '2001:db8::13', false],
  ])('lets the packet go that waited in the guest (to %s)', async (_, address, personal) => {
    const listener = listen('host');
    const { ns } = listener;
    ns.setPorts([{ port: p0, vxlan: vx }]);
    const answered = ping('a', address);
    const { asker } = await listener.miss(address);
    if (asker === undefined) throw new Error('nobody asked');
    expect(failures(ns, [fdb(R, { op: 'replace' }), neighbour(address)])).toEqual([]);
    const announcement = { port: p0, ip: address, lladdr: R, router: false };
    expect(ns.announce([personal ? { ...announcement, to: asker } : announcement])).toBe(0);
    expect(await answered).toBe(true);
  });

  it('counts what could not be sent, and sends the rest', () => {
    const { ns } = listen('host');
    const announcement = { port: p0, ip: '20.0.0.14', lladdr: R, router: false };
    expect(
      ns.announce([
        { ...announcement, port: 999_999 },
        announcement,
        { ...announcement, to: { lladdr: A, ip: '0.0.0.0' } },
        { ...announcement, port: 999_998 },
        announcement,
      ]),
    ).toBe(3);
  });
});

describe('links', () => {
  it('are told of as they come, change and go', async () => {
    const listener = listen('host');
    ip('host', 'link add vx2 type vxlan id 200 dev under dstport 4790 local 10.99.0.1 proxy l3miss');
    const link = await listener.link(({ name }) => name === 'vx2');
    expect(link.vxlan).toMatchObject({
      vni: 200,
      dstport: 4790,
      local: '10.99.0.1',
      proxy: true,
      l2miss: false,
    });
    ip('host', 'link set vx2 up');
    await listener.link(({ name, up }) => name === 'vx2' && up);
    ip('host', 'addr add 30.0.0.1/24 dev vx2');
    const address = (removed: boolean): Promise<number> =>
      listener.until((event) =>
        event.type === 'address' && event.removed === removed && event.address.ip === '30.0.0.1'
          ? event.address.ifindex
          : undefined,
      );
    expect(await address(false)).toBe(link.ifindex);
    ip('host', 'link del vx2');
    expect(await address(true)).toBe(link.ifindex);
    await listener.link(({ name }) => name === 'vx2', true);
  });

  it('keep their attributes when a bridge tells of a port’s settings', async () => {
    const listener = listen('host');
    const { ns } = listener;
    ns.setMulticastRouter(vx, 2);
    const link = await listener.link((each) => each.bridgePort?.multicastRouter === 2);
    expect(link).toMatchObject({ ifindex: vx, name: 'vx', kind: 'vxlan', vxlan: { vni: 100 } });
    ns.setMulticastRouter(vx, 1);
    await listener.link((each) => each.ifindex === vx && each.bridgePort?.multicastRouter === 1);
    expect(() => {
      ns.setMulticastRouter(br0, 2);
    }).toThrow(KernelError);
  });

  it('that leave a bridge are told of without a master, not as removed', async () => {
    const listener = listen('host');
    ip('host', 'link set p1 nomaster');
    await listener.link(({ ifindex, master }) => ifindex === p1 && master === 0);
    ip('host', 'link set p1 master br0');
    await listener.link(({ ifindex, master }) => ifindex === p1 && master === br0);
    expect(listener.events.filter((event) => event.type === 'link' && event.removed)).toEqual([]);
  });
});

describe('a namespace', () => {
  it('that does not exist is refused', () => {
    const open = (where: string) => () => kernel.open(where, { receiveBuffer: 4096 });
    expect(open('/run/netns/no-such-namespace')).toThrow(
      expect.objectContaining({ code: 'ENOENT' }) as Error,
    );
    expect(open('/etc/hostname')).toThrow(expect.objectContaining({ code: 'EINVAL' }) as Error);
  });

  it('says what buffer it got', () => {
    const { ns } = listen('host', 64 << 20);
    expect(ns.receiveBuffer).toEqual({ bytes: 64 << 20, forced: true });
    expect(ns.canAnnounce).toBe(true);
  });

  it('can be the process’s own', async () => {
    const ns = kernel.open(null, { receiveBuffer: 4096 });
    expect((await ns.links()).map((link) => link.name)).toContain('lo');
    ns.events$.subscribe().unsubscribe();
  });

  it('is locked for everybody else in it, and nobody outside', () => {
    const [first, second, far] = [listen('host'), listen('host'), listen('far')];
    expect(first.ns.lock('missd-vx')).toBe(true);
    expect(second.ns.lock('missd-vx')).toBe(false);
    expect(second.ns.lock('missd-vy')).toBe(true);
    expect(far.ns.lock('missd-vx')).toBe(true);
    first.ns.unlock('missd-vx');
    expect(second.ns.lock('missd-vx')).toBe(true);
    second.close();
    expect(first.ns.lock('missd-vx')).toBe(true);
  });

  it('has one listener, and is closed when that one leaves', () => {
    const listener = listen('host');
    const errors: unknown[] = [];
    listener.ns.events$.subscribe({ error: (error: unknown) => errors.push(error) });
    expect(errors).toEqual([new Error('the namespace has a listener already')]);
  });

  it('does nothing more once closed', async () => {
    const listener = listen('host');
    listener.close();
    listener.close();
    expect(() => listener.ns.write([])).toThrow('the namespace is closed');
    expect(() => listener.ns.lock('missd')).toThrow('the namespace is closed');
    await expect(listener.ns.links()).rejects.toThrow('the namespace is closed');
  });

  it('may be closed from within an event', async () => {
    const listener = listen('host');
    const closed = listener.miss('20.0.0.91').then(() => {
      listener.close();
    });
    await ping('a', '20.0.0.91');
    await closed;
    expect(() => listener.ns.write([])).toThrow('the namespace is closed');
  });

  it('is let go of altogether: the kernel can destroy it', async () => {
    const host = listen('host');
    namespace('gone');
    ip('host', `link add peer type veth peer name eth0 netns ${name('gone')}`);
    await host.link((link) => link.name === 'peer');
    const gone = listen('gone');
    gone.ns.lock('missd');
    const pending = gone.ns.links();
    await gone.ns.addresses();
    gone.close();
    await pending.catch(() => undefined);
    remove('gone');
    // The other end of its veth goes when the namespace does.
    await host.link((link) => link.name === 'peer', true);
  });

  it('outlives no worker that opened it', async () => {
    const code = `
      const { workerData, parentPort } = require('node:worker_threads');
      const addon = require(workerData.loader)(workerData.addon);
      const open = new addon.Namespace(workerData.path, 4096);
      open.start(() => undefined);
      open.dump('links', -1);
      new addon.Namespace(workerData.path, 4096);
      parentPort.postMessage('open');
    `;
    const workerData = {
      loader: createRequire(import.meta.url).resolve('node-gyp-build'),
      addon: fileURLToPath(new URL('../../addon', import.meta.url)),
      path: path('far'),
    };
    const worker = new Worker(code, { eval: true, workerData });
    await once(worker, 'message');
    expect(await worker.terminate()).toBe(1);
  });
});

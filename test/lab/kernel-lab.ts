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
import type { Subscription } from 'rxjs';
import { afterAll, beforeAll, onTestFinished } from 'vitest';
import { type EntryWrite, type KernelEvent, type Namespace } from '../../src/kernel/kernel.ts';
import { LinuxKernel } from '../../src/kernel/linux.ts';
import { NTF_EXT_LEARNED, NTF_SELF, NUD_NOARP, NUD_REACHABLE } from '../../src/kernel/netlink.ts';
import type { Link, Miss } from '../../src/base/vocabulary.ts';

const prefix = `mdk-${process.pid}`;
export const name = (role: string): string => `${prefix}-${role}`;
export const path = (role: string): string => `/run/netns/${name(role)}`;
/** Arguments of nsenter; `ip -n` and `ip netns exec` remount /sys and refuse to in a chroot. */
export const inside = (role: string, command: string): string[] => [
  `--net=${path(role)}`,
  ...command.split(' '),
];
export const ip = (role: string, command: string): void => {
  execFileSync('nsenter', inside(role, `ip ${command}`));
};

const made: string[] = [];
export function namespace(role: string): void {
  execFileSync('ip', ['netns', 'add', name(role)]);
  made.push(role);
  ip(role, 'link set lo up');
}
export function remove(role: string): void {
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

export const A = '02:00:00:00:00:0a';
export const B = '02:00:00:00:00:0b';
export const R = '02:00:00:00:00:0c';

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
export async function ping(role: string, address: string): Promise<boolean> {
  const child = spawn('nsenter', inside(role, `ping -c1 -W0.8 ${address}`), { stdio: 'ignore' });
  const [code] = (await once(child, 'exit')) as [number];
  return code === 0;
}
/** The same with this process, and so its event loop, at a standstill. */
export function pingBlocking(role: string, options: string, address: string): void {
  try {
    execFileSync('nsenter', inside(role, `ping ${options} ${address}`), { stdio: 'ignore' });
  } catch {
    // No answer: that is what is wanted.
  }
}

/** ARP requests of one guest for one address, as fast as it can, at a standstill as above. */
export function arpBlocking(role: string, mac: string, address: string, count: number): void {
  const script = new URL('arp-burst.py', import.meta.url).pathname;
  const argv = `python3 ${script} eth0 ${mac} 20.0.0.10 ${address} ${count} 1`;
  execFileSync('nsenter', inside(role, argv));
}

/** ARP requests of one guest for so many addresses from the first on, as fast as it can, while the event loop turns. */
export async function arpForMany(role: string, mac: string, first: string, count: number): Promise<void> {
  const script = new URL('arp-burst.py', import.meta.url).pathname;
  const argv = `python3 ${script} eth0 ${mac} 20.0.0.10 ${first} ${count} ${count}`;
  const child = spawn('nsenter', inside(role, argv), { stdio: 'ignore' });
  await once(child, 'exit');
}

/** Keeps what a namespace says, and waits for what it is to say. */
export class Listener {
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

export const kernel = new LinuxKernel();
/** Closed when the test is over, whatever came of it. */
export function listen(role: string, receiveBuffer = 1 << 20): Listener {
  const listener = new Listener(kernel.open(path(role), { receiveBuffer }));
  onTestFinished(() => {
    listener.close();
  });
  return listener;
}

export let vx = 0;
export let br0 = 0;
export let p0 = 0;
export let p1 = 0;

export const fdb = (lladdr: string, more: Partial<EntryWrite & { table: 'fdb' }> = {}): EntryWrite => ({
  table: 'fdb',
  op: 'create',
  ifindex: vx,
  state: NUD_REACHABLE,
  flags: NTF_SELF | NTF_EXT_LEARNED,
  lladdr,
  vtep: '10.99.0.2',
  ...more,
});
export const neighbour = (
  address: string,
  more: Partial<EntryWrite & { table: 'neighbour' }> = {},
): EntryWrite => ({
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
export const failures = (ns: Namespace, writes: EntryWrite[]): [number, string, string][] =>
  ns.write(writes).map(({ index, error }) => [index, error.code, error.extack]);

/** Builds the two hosts and three guests before the tests of a file, and removes them after. */
export function lab(): void {
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
}

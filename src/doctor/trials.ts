/** Tries each kernel feature in a temporary network namespace. */
import { tap } from 'rxjs';
import { reasonOf } from '../base/errors.ts';
import type { Kernel, KernelEvent, Namespace } from '../kernel/kernel.ts';
import { NTF_EXT_LEARNED, NTF_SELF, NUD_NOARP, NUD_REACHABLE } from '../kernel/netlink.ts';
import type { Ip, Link, Miss } from '../base/vocabulary.ts';
import type { Feature, Trial } from './features.ts';
import { Scratch } from './scratch.ts';

/** include/uapi/linux/neighbour.h: the kernel solicits the neighbour now. */
const NTF_USE = 0x01;
/** The protocol number of missd's entries (entries/ownership.ts). */
const OWNER = 77;
/** Longest wait for a miss, which the kernel raises within microseconds, ms. */
const TIMEOUT = 2_000;

const MAC = '02:00:5e:00:53:01';
/** RFC 5737 and RFC 3849: documentation addresses. */
const VTEP = '192.0.2.2';
const LOCAL = '192.0.2.1';

/** @throws Error with a readable message if the namespace cannot be created */
export async function tryFeatures(kernel: Kernel): Promise<Trial[]> {
  const scratch = await Scratch.open();
  try {
    const namespace = kernel.open(scratch.path, { receiveBuffer: 1 << 20 });
    const trials = new Trials(scratch, namespace);
    const events = namespace.events$
      .pipe(
        tap((event) => {
          trials.hear(event);
        }),
      )
      .subscribe();
    try {
      return await trials.run();
    } finally {
      events.unsubscribe();
    }
  } finally {
    scratch.close();
  }
}

class Trials {
  readonly #scratch: Scratch;
  readonly #namespace: Namespace;
  readonly #heard: Miss[] = [];
  #wake: () => void = () => undefined;
  #links = new Map<string, Link>();
  readonly #done: Trial[] = [];

  constructor(scratch: Scratch, namespace: Namespace) {
    this.#scratch = scratch;
    this.#namespace = namespace;
  }

  hear(event: KernelEvent): void {
    if (event.type !== 'misses') return;
    this.#heard.push(...event.misses);
    this.#wake();
  }

  async run(): Promise<Trial[]> {
    const ip = (...words: string[]): Promise<void> => this.#scratch.ip(...words);
    const vxlan = (name: string, id: number, ...flags: string[]): Promise<void> =>
      ip(
        ...['link', 'add', name, 'type', 'vxlan', 'id', String(id), 'dstport', String(4788 + id)],
        ...['local', LOCAL, 'nolearning', ...flags],
      );
    await this.#try('bridge', async () => {
      await ip('link', 'add', 'br0', 'type', 'bridge');
    });
    await this.#try('vxlan', async () => {
      await vxlan('bridged', 1, 'proxy', 'l2miss', 'l3miss');
      await vxlan('routed', 2, 'proxy', 'l2miss', 'l3miss');
      await vxlan('bare', 3, 'l2miss');
      if (this.#works('bridge')) await ip('link', 'set', 'bridged', 'master', 'br0');
      for (const name of ['bridged', 'routed', 'bare']) await ip('link', 'set', name, 'up');
      if (this.#works('bridge')) await ip('link', 'set', 'br0', 'up');
      await ip('address', 'add', '198.51.100.1/24', 'dev', 'routed');
      await this.#readLinks();
      const read = this.#link('bridged').vxlan;
      if (read?.l2miss !== true || !read.l3miss || !read.proxy || read.learning)
        throw new Error('the device has other flags than it was given');
    });
    if (!this.#works('vxlan')) return this.#done;
    await this.#try('ipv6', async () => {
      await ip('address', 'add', '2001:db8:1::1/64', 'dev', 'routed', 'nodad');
    });
    await this.#try('app_solicit', () => {
      for (const family of this.#works('ipv6') ? ([4, 6] as const) : ([4] as const)) {
        this.#namespace.setAppSolicit(this.#index('routed'), family, 3);
        if (this.#namespace.getAppSolicit(this.#index('routed'), family) !== 3)
          throw new Error(`the value that was set for IPv${family} is not read back`);
      }
    });
    await this.#try('misses of routed addresses', () => this.#solicit('routed', '198.51.100.2', 'routed'));
    if (this.#works('bridge')) {
      await this.#try('misses of bridged addresses', async () => {
        await ip('address', 'add', '203.0.113.1/24', 'dev', 'br0');
        await this.#solicit('br0', '203.0.113.2', 'bridged');
      });
      await this.#try('mcast_router', () => {
        this.#namespace.setMulticastRouter(this.#index('bridged'), 2);
      });
      if (this.#works('ipv6'))
        await this.#try('misses of IPv6 addresses', async () => {
          // The bridge sends no solicitation before duplicate address detection ends (RFC 4862), hence `nodad`.
          for (const address of ['2001:db8:2::1/64', 'fe80::1/64'])
            await ip('address', 'add', address, 'dev', 'br0', 'nodad');
          await this.#solicit('br0', '2001:db8:2::2', 'bridged');
        });
    }
    if (this.#namespace.canAnnounce) await this.#try('misses of MACs', () => this.#sendToUnknownMac());
    await this.#try('neighbour with owner', () => {
      this.#writeNeighbour();
    });
    await this.#try('FDB entry with owner', () => {
      this.#writeFdb();
    });
    await this.#try('route with owner', () => {
      const route = { ifindex: this.#index('routed'), cidr: '198.18.0.0/15', gateway: '198.51.100.9' };
      const [refusal] = this.#namespace.writeRoutes([{ ...route, op: 'create', protocol: OWNER }]);
      if (refusal !== undefined) throw refusal.error;
    });
    await this.#try('lock', () => {
      if (!this.#namespace.lock('missd-doctor')) throw new Error('the lock is taken, in a new namespace');
    });
    await this.#try('nftables', async () => {
      await this.#namespace.throttle([{ port: this.#index('bare'), seconds: 1 }], 100);
      await this.#namespace.throttle([], 100);
    });
    return this.#done;
  }

  async #try(feature: Feature, act: () => void | Promise<void>): Promise<void> {
    try {
      await act();
      this.#done.push({ feature });
    } catch (error) {
      this.#done.push({ feature, error: reasonOf(error) });
    }
  }

  #works(feature: Feature): boolean {
    return this.#done.some((trial) => trial.feature === feature && trial.error === undefined);
  }

  async #readLinks(): Promise<void> {
    const links = await this.#namespace.links();
    this.#links = new Map(links.map((link) => [link.name, link]));
  }

  #link(name: string): Link {
    const link = this.#links.get(name);
    if (link === undefined) throw new Error(`${name} was created and cannot be found`);
    return link;
  }

  #index(name: string): number {
    return this.#link(name).ifindex;
  }

  /** Makes the kernel solicit a neighbour on one device, and waits for the miss on another device. */
  async #solicit(on: string, ip: Ip, misses: string): Promise<void> {
    const [refusal] = this.#namespace.write([
      {
        table: 'neighbour',
        op: 'create',
        ifindex: this.#index(on),
        ip,
        lladdr: MAC,
        state: 0,
        flags: NTF_USE,
        protocol: 0,
      },
    ]);
    if (refusal !== undefined) throw refusal.error;
    await this.#miss((miss) => miss.address === ip && miss.ifindex === this.#index(misses));
  }

  async #sendToUnknownMac(): Promise<void> {
    const failed = this.#namespace.announce([
      {
        port: this.#index('bare'),
        ip: '198.51.100.1',
        lladdr: MAC,
        to: { lladdr: '02:00:5e:00:53:02', ip: '198.51.100.3' },
        router: false,
      },
    ]);
    if (failed > 0) throw new Error('a frame could not be sent');
    await this.#miss(({ address }) => address === '02:00:5e:00:53:02');
  }

  #writeNeighbour(): void {
    const row = { ifindex: this.#index('bridged'), ip: '198.51.100.4' };
    const flags = NTF_EXT_LEARNED;
    const [refusal] = this.#namespace.write([
      { table: 'neighbour', op: 'create', ...row, lladdr: MAC, state: NUD_NOARP, flags, protocol: OWNER },
    ]);
    if (refusal !== undefined) throw refusal.error;
    const [read] = this.#namespace.getNeighbours([row]);
    if (read?.protocol !== OWNER) throw new Error('NDA_PROTOCOL is not kept');
    if ((read.flags & NTF_EXT_LEARNED) === 0) throw new Error('extern_learn is not kept');
  }

  #writeFdb(): void {
    const row = { ifindex: this.#index('bridged'), lladdr: MAC };
    const flags = NTF_SELF | NTF_EXT_LEARNED;
    const [refusal] = this.#namespace.write([
      { table: 'fdb', op: 'create', ...row, vtep: VTEP, state: NUD_REACHABLE, flags },
    ]);
    if (refusal !== undefined) throw refusal.error;
    const [read] = this.#namespace.getFdb([row]);
    if (((read?.flags ?? 0) & NTF_EXT_LEARNED) === 0) throw new Error('extern_learn is not kept');
  }

  async #miss(wanted: (miss: Miss) => boolean): Promise<void> {
    const deadline = AbortSignal.timeout(TIMEOUT);
    while (!this.#heard.some(wanted)) {
      if (deadline.aborted) throw new Error('no miss was raised');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        deadline.addEventListener('abort', () => {
          resolve();
        });
      });
    }
  }
}

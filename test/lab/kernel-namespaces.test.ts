/** The addon on the real kernel; `kernel-lab.ts` draws what it runs in. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { KernelError } from '../../src/kernel/kernel.ts';

import { lab, name, path, ip, kernel, vx, br0, p1, namespace, remove, ping, listen } from './kernel-lab.ts';

lab();

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

  it('stand in a table whose limits are those that ip shows', () => {
    const { ns } = listen('host');
    const shown = execFileSync('ip', ['ntable', 'show', 'name', 'arp_cache'], { encoding: 'utf8' });
    const limits = /thresh1 (\d+) thresh2 (\d+) thresh3 (\d+)/.exec(shown)?.slice(1).map(Number);
    expect(ns.getNeighbourTable(4)?.thresholds).toEqual(limits);
  });

  it('are solicited by user space as often as is set, each family for itself', () => {
    const { ns } = listen('host');
    expect([4, 6].map((family) => ns.getAppSolicit(vx, family as 4 | 6))).toEqual([0, 0]);
    ns.setAppSolicit(vx, 6, 3);
    expect([4, 6].map((family) => ns.getAppSolicit(vx, family as 4 | 6))).toEqual([0, 3]);
    ns.setAppSolicit(vx, 6, 0);
    expect(ns.getAppSolicit(999_999, 4)).toBeUndefined();
    expect(() => {
      ns.setAppSolicit(999_999, 4, 3);
    }).toThrow(expect.objectContaining({ code: 'ENOENT' }) as Error);
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
      open.start(() => undefined, () => undefined);
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

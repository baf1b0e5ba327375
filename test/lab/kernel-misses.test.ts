/** The addon on the real kernel; `kernel-lab.ts` draws what it runs in. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { NUD_STALE } from '../../src/kernel/netlink.ts';

import {
  Listener,
  lab,
  ip,
  kernel,
  path,
  A,
  B,
  R,
  fdb,
  neighbour,
  failures,
  vx,
  p0,
  p1,
  ping,
  pingBlocking,
  arpBlocking,
  arpForMany,
  listen,
} from './kernel-lab.ts';

lab();

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

  it('that wait from one look to the next, unread, are told from those that are read', async () => {
    const ns = kernel.open(path('host'), { receiveBuffer: 1 << 20 });
    await ping('a', '20.0.0.90');
    expect([ns.neglected(), ns.neglected(), ns.neglected()]).toEqual([false, true, true]);
    const listener = new Listener(ns);
    onTestFinished(() => {
      listener.close();
    });
    await listener.miss('20.0.0.90');
    // Others may have come since, but somebody reads.
    expect(ns.neglected()).toBe(false);
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

  it('name who asked, however much waits of a port that is passed over from now on', async () => {
    const listener = listen('host', 64 << 20);
    listener.ns.setPorts([
      { port: p0, vxlan: vx },
      { port: p1, vxlan: vx },
    ]);
    // Its neighbour is known, so the flood of questions raises no misses: only the tap hears it.
    expect(failures(listener.ns, [fdb(R, { op: 'replace' }), neighbour('20.0.0.92')])).toEqual([]);
    arpBlocking('a', A, '20.0.0.92', 5_000);
    arpBlocking('b', B, '20.0.0.91', 1);
    listener.ns.setPorts([{ port: p1, vxlan: vx }]);
    expect((await listener.miss('20.0.0.91')).asker).toMatchObject({ port: p1, lladdr: B });
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

  it('of a crowd, which are let gather for a millisecond, are all heard, and one alone after it', async () => {
    const listener = listen('host', 64 << 20);
    for (const [first, alone] of [
      ['20.1.0.0', '20.0.0.88'],
      ['20.2.0.0', '20.0.0.87'],
    ] as const) {
      await arpForMany('a', A, first, 4_000);
      const heard = new Set<string>();
      await listener.until((event) => {
        for (const { address } of event.type === 'misses' ? event.misses : [])
          if (address.startsWith(first.slice(0, 5))) heard.add(address);
        return heard.size === 4_000 ? true : undefined;
      });
      await ping('a', alone);
      expect((await listener.miss(alone)).layer).toBe('l3');
    }
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

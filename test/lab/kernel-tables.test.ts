/** The addon on the real kernel; `kernel-lab.ts` draws what it runs in. */
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { isGone, isTaken, KernelError } from '../../src/kernel/kernel.ts';
import { NTF_EXT_LEARNED, NTF_SELF, NUD_NOARP, NUD_REACHABLE } from '../../src/kernel/netlink.ts';

import { lab, A, fdb, neighbour, failures, vx, br0, p0, ping, listen } from './kernel-lab.ts';

lab();

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
    const [row, none] = ns.getBridgeFdb(br0, [A, '02:00:00:00:09:09']);
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

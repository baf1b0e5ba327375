/** Each rule of the scripts of src/directory/redis/scripts/, on a single server and on a cluster of three masters. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Guest, HostIdentity, OwnerMessage, Ownership } from '../../src/directory/ownership.ts';
import { RedisDirectory } from '../../src/directory/redis/redis-directory.ts';
import { parseRedisUrl } from '../../src/directory/redis/url.ts';
import { first } from './first.ts';
import { startCluster } from './redis-cluster.ts';
import { type RedisServer, startRedis } from './redis-server.ts';

const A: HostIdentity = { id: 'a', incarnation: 'aaaaaaaaaaaa', vtep: '10.99.0.1' };
const B: HostIdentity = { id: 'b', incarnation: 'bbbbbbbbbbbb', vtep: '10.99.0.2' };
const AGAIN: HostIdentity = { ...A, incarnation: 'aaaaaaaaaaab' };
const MAC = '02:42:14:00:00:02';
const OTHER = '02:42:14:00:00:03';
const IP = '20.0.0.2';
const IP6 = 'fd00::2';
const guest = (mac = MAC, ips: readonly string[] = [IP], kind: Guest['kind'] = 'learned'): Guest => ({
  mac,
  ips,
  kind,
});
/** Longer than any test. */
const LONG = 60_000;

const fail = (error: unknown): never => {
  throw error;
};

interface Kind {
  start(): Promise<{ nodes: RedisServer[]; url: string }>;
}

const one: Kind = {
  start: async () => {
    const server = await startRedis();
    return { nodes: [server], url: server.url };
  },
};

describe.each([
  ['one server', one, 100],
  ['a cluster of three masters, first of its VNIs', { start: startCluster }, 100],
  ['a cluster of three masters, second', { start: startCluster }, 5001],
  ['a cluster of three masters, third', { start: startCluster }, 70],
] as const)('ownership on %s', (_name, kind, VNI) => {
  let nodes: RedisServer[];
  let directory: RedisDirectory;
  let own: Ownership;
  let counter = 0;
  const cli = (...words: string[]): Promise<string> => nodes[0]?.cli(...words) ?? Promise.resolve('');
  const key = (rest: string): string => `missd:{${VNI}}:${rest}`;
  const ip = (address = IP): Promise<string> => cli('GET', key(`ip:${address}`));
  const mac = (address = MAC): Promise<string> => cli('GET', key(`mac:${address}`));
  const take = async (host: HostIdentity, ttl = LONG): Promise<void> => {
    const taken = await own.renew(VNI, host, ++counter, ttl, true);
    expect(['taken', 'renewed']).toContain(taken.outcome);
  };
  /** Lets the lease of a host end. */
  const lapse = async (host: HostIdentity): Promise<void> => {
    await cli('DEL', key(`host:${host.id}`));
  };

  beforeAll(async () => {
    const started = await kind.start();
    nodes = started.nodes;
    directory = new RedisDirectory({ target: parseRedisUrl(started.url) });
    directory.start();
    await first(directory.state$, ({ up }) => up);
    own = directory.ownership;
  });
  beforeEach(async () => {
    for (const node of nodes) await node.cli('FLUSHALL');
  });
  afterAll(async () => {
    await directory.close();
    for (const node of nodes) await node.kill();
  });

  describe('the lease of a host', () => {
    it('is taken where nobody has it, renewed with a higher counter, and says when it ended', async () => {
      expect(await own.renew(VNI, A, 1, LONG, false)).toEqual({ outcome: 'gone' });
      expect(await own.renew(VNI, A, 2, LONG, true)).toEqual({ outcome: 'taken' });
      expect(await own.renew(VNI, A, 3, LONG, false)).toEqual({ outcome: 'renewed' });
      expect(await own.remaining(VNI, 'a')).toBeGreaterThan(LONG - 5_000);
      // The reply of the fourth attempt was lost.
      expect(await own.renew(VNI, A, 5, 30, false)).toEqual({ outcome: 'renewed' });
      await vi.waitFor(async () => {
        expect(await own.remaining(VNI, 'a')).toBeUndefined();
      });
      expect(await own.renew(VNI, A, 6, LONG, false)).toEqual({ outcome: 'gone' });
      expect(await own.hosts(VNI)).toEqual([{ id: 'a', incarnation: A.incarnation, lease: undefined }]);
    });

    it('goes to a restarted process at once, and the former one is displaced', async () => {
      await own.renew(VNI, A, 1, LONG, true);
      expect(await own.renew(VNI, AGAIN, 1, LONG, true)).toEqual({ outcome: 'taken' });
      expect(await own.renew(VNI, A, 2, LONG, false)).toEqual({ outcome: 'displaced' });
      const lease = { incarnation: AGAIN.incarnation, vtep: A.vtep };
      expect(await own.hosts(VNI)).toEqual([{ id: 'a', incarnation: AGAIN.incarnation, lease }]);
    });

    it('is refused to a host of the same id with another VTEP, unless its own VTEP has changed', async () => {
      await own.renew(VNI, A, 1, LONG, true);
      const elsewhere = { ...AGAIN, vtep: '10.99.0.7' };
      expect(await own.renew(VNI, elsewhere, 1, LONG, true)).toEqual({ outcome: 'refused', vtep: A.vtep });
      expect(await own.renew(VNI, elsewhere, 2, LONG, false)).toEqual({ outcome: 'refused', vtep: A.vtep });
      expect(await own.renew(VNI, elsewhere, 3, LONG, true, A.incarnation)).toEqual({ outcome: 'taken' });
    });

    it('is given back by the incarnation that has it, which is forgotten if it published nothing', async () => {
      await own.renew(VNI, A, 1, LONG, true);
      expect(await own.leave(VNI, AGAIN)).toBe(false);
      expect(await own.leave(VNI, A)).toBe(true);
      expect(await own.leave(VNI, A)).toBe(false);
      expect(await own.hosts(VNI)).toEqual([]);
      await own.renew(VNI, A, 2, LONG, true);
      await own.publish(VNI, A, guest(), false);
      await own.leave(VNI, A);
      expect(await own.hosts(VNI)).toEqual([{ id: 'a', incarnation: A.incarnation, lease: undefined }]);
    });

    it('tells a clone of the process, whose counter is that of the original', async () => {
      await own.renew(VNI, A, 7, LONG, true);
      expect(await own.renew(VNI, A, 8, LONG, false)).toEqual({ outcome: 'renewed' });
      expect(await own.renew(VNI, A, 8, LONG, false)).toEqual({ outcome: 'cloned' });
      expect(await own.renew(VNI, { ...A, vtep: '10.99.0.7' }, 9, LONG, false)).toMatchObject({
        outcome: 'refused',
      });
    });
  });

  describe('publishing', () => {
    it('writes the records and the companion, and nothing the second time', async () => {
      await take(A);
      const done = await own.publish(VNI, A, guest(MAC, [IP, IP6]), false);
      const addresses = [IP, IP6].map((address) => ({ ip: address, outcome: 'ok' }));
      expect(done).toEqual({ outcome: 'ok', changed: true, manual: false, epoch: 1, addresses });
      expect([await ip(), await ip(IP6), await mac()]).toEqual([
        `${MAC} ${A.vtep}`,
        `${MAC} ${A.vtep}`,
        A.vtep,
      ]);
      expect(await own.owner(VNI, MAC)).toMatchObject({
        ...{ host: 'a', incarnation: A.incarnation, epoch: 1, vtep: A.vtep, kind: 'learned', first: 'a' },
      });
      expect((await own.owned(VNI, 'a'))[0]?.ips.toSorted()).toEqual([IP, IP6]);
      const before = await cli('INFO', 'commandstats');
      expect(await own.publish(VNI, A, guest(MAC, [IP, IP6]), false)).toMatchObject({ changed: false });
      const calls = (text: string, command: string): string | undefined =>
        new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(text)?.[1];
      const after = await cli('INFO', 'commandstats');
      for (const command of ['set', 'del', 'hset'])
        expect(calls(after, command), command).toBe(calls(before, command));
    });

    it('needs the lease, in this incarnation', async () => {
      expect(await own.publish(VNI, A, guest(), false)).toEqual({ outcome: 'lease' });
      await take(AGAIN);
      expect(await own.publish(VNI, A, guest(), false)).toEqual({ outcome: 'lease' });
      expect(await cli('EXISTS', key(`ip:${IP}`))).toBe('0');
    });

    it('writes a MAC without an address', async () => {
      await take(A);
      expect(await own.publish(VNI, A, guest(MAC, []), false)).toMatchObject({
        outcome: 'ok',
        changed: true,
      });
      expect(await mac()).toBe(A.vtep);
      await own.withdraw(VNI, A, MAC, [IP]);
      expect(await mac()).toBe(A.vtep);
      expect(await own.withdraw(VNI, A, MAC)).toBe(1);
      expect(await mac()).toBe('');
    });

    it('leaves records that were typed by hand, also of another type', async () => {
      await take(A);
      await cli('SET', key(`ip:${IP}`), `${MAC} 10.99.0.9`);
      await cli('SET', key(`mac:${MAC}`), '10.99.0.9');
      await cli('SADD', key(`ip:${IP6}`), 'x');
      expect(await own.publish(VNI, A, guest(MAC, [IP, IP6, '20.0.0.3']), true)).toMatchObject({
        manual: true,
        addresses: [
          { ip: IP, outcome: 'manual' },
          { ip: IP6, outcome: 'manual' },
          { ip: '20.0.0.3', outcome: 'ok' },
        ],
      });
      expect([await ip(), await mac()]).toEqual([`${MAC} 10.99.0.9`, '10.99.0.9']);
      // Nor does a withdrawal take them.
      expect(await own.withdraw(VNI, A, MAC)).toBe(1);
      expect([await ip(), await mac()]).toEqual([`${MAC} 10.99.0.9`, '10.99.0.9']);
    });

    it('leaves a record that was overwritten by hand, and forgets that it was its own', async () => {
      await take(A);
      await own.publish(VNI, A, guest(), false);
      await cli('SET', key(`ip:${IP}`), `${OTHER} 10.99.0.9`);
      expect(await own.publish(VNI, A, guest(), false)).toMatchObject({
        addresses: [{ ip: IP, outcome: 'manual' }],
      });
      expect((await own.owner(VNI, MAC))?.ips).toEqual([]);
      await cli('DEL', key(`ip:${IP}`));
      await own.publish(VNI, A, guest(), false);
      expect(await ip()).toBe(`${MAC} ${A.vtep}`);
    });

    it('puts back what is missing, and follows the VTEP of the host', async () => {
      await take(A);
      await own.publish(VNI, A, guest(), false);
      await cli('DEL', key(`ip:${IP}`), key(`mac:${MAC}`));
      expect(await own.publish(VNI, A, guest(), false)).toMatchObject({ changed: true });
      expect([await ip(), await mac()]).toEqual([`${MAC} ${A.vtep}`, A.vtep]);
      const moved = { ...AGAIN, vtep: '10.99.0.7' };
      await own.renew(VNI, moved, 1, LONG, true, A.incarnation);
      expect(await own.publish(VNI, moved, guest(), false)).toMatchObject({ changed: true, manual: false });
      expect([await ip(), await mac()]).toEqual([`${MAC} 10.99.0.7`, '10.99.0.7']);
    });

    it('refuses an address that another MAC has, while the host of that MAC lives', async () => {
      await take(A);
      await take(B);
      await own.publish(VNI, A, guest(), false);
      const duplicate = { ip: IP, outcome: 'duplicate', mac: MAC, host: 'a' };
      expect(await own.publish(VNI, B, guest(OTHER), true)).toMatchObject({ addresses: [duplicate] });
      expect(await own.publish(VNI, A, guest(OTHER), true)).toMatchObject({ addresses: [duplicate] });
      expect([await ip(), await mac(OTHER)]).toEqual([`${MAC} ${A.vtep}`, '']);
      expect(await own.owner(VNI, OTHER)).toBeUndefined();
      await lapse(A);
      const ended = { ...duplicate, outcome: 'ended' };
      expect(await own.publish(VNI, B, guest(OTHER), false)).toMatchObject({ addresses: [ended] });
      expect(await ip()).toBe(`${MAC} ${A.vtep}`);
      expect(await own.publish(VNI, B, guest(OTHER), true)).toMatchObject({
        addresses: [{ ip: IP, outcome: 'ok' }],
      });
      expect([await ip(), await mac(OTHER), await mac()]).toEqual([`${OTHER} ${B.vtep}`, B.vtep, '']);
      expect(await own.owner(VNI, MAC)).toBeUndefined();
      expect(await own.owned(VNI, 'a')).toEqual([]);
    });
  });

  describe('moving', () => {
    it('takes all addresses of the MAC, those of here as well, and the late withdrawal of there takes none', async () => {
      await take(A);
      await take(B);
      await own.publish(VNI, A, guest(MAC, [IP, IP6]), false);
      expect(await own.publish(VNI, B, guest(MAC, ['20.0.0.9']), false)).toEqual({
        ...{ outcome: 'moved', host: 'a', epoch: 1 },
      });
      expect(await ip('20.0.0.9')).toBe('');
      expect(await own.move(VNI, B, guest(MAC, ['20.0.0.9']), 1)).toMatchObject({ outcome: 'ok', epoch: 2 });
      for (const address of [IP, IP6, '20.0.0.9']) expect(await ip(address)).toBe(`${MAC} ${B.vtep}`);
      expect(await mac()).toBe(B.vtep);
      expect([await own.owned(VNI, 'a'), (await own.owned(VNI, 'b')).length]).toEqual([[], 1]);
      expect(await cli('EXISTS', key('owned:a'))).toBe('0');
      expect(await own.withdraw(VNI, A, MAC)).toBe(0);
      expect(await own.withdraw(VNI, A, MAC, [IP])).toBe(0);
      expect(await mac()).toBe(B.vtep);
    });

    it('needs the lease and the epoch', async () => {
      await take(A);
      await own.publish(VNI, A, guest(), false);
      expect(await own.move(VNI, B, guest(), 1)).toEqual({ outcome: 'lease' });
      await take(B);
      expect(await own.move(VNI, B, guest(), 2)).toEqual({ outcome: 'stale', host: 'a', epoch: 1 });
      expect(await own.move(VNI, B, guest(OTHER), 1)).toEqual({ outcome: 'stale', host: '', epoch: 0 });
      expect(await mac()).toBe(A.vtep);
    });

    it('goes to one of two hosts that take it at the same time', async () => {
      const C = { id: 'c', incarnation: 'cccccccccccc', vtep: '10.99.0.3' };
      for (const host of [A, B, C]) await take(host);
      await own.publish(VNI, A, guest(), false);
      const both = await Promise.all([own.move(VNI, B, guest(), 1), own.move(VNI, C, guest(), 1)]);
      expect(both).toMatchObject([
        { outcome: 'ok', epoch: 2 },
        { outcome: 'stale', host: 'b', epoch: 2 },
      ]);
    });

    it('stays with the first owner for 180 s after five moves of a learned MAC', async () => {
      await take(A);
      await take(B);
      await own.publish(VNI, A, guest(), false);
      for (const [host, epoch] of [
        [B, 1],
        [A, 2],
        [B, 3],
        [A, 4],
        [B, 5],
      ] as const)
        expect(await own.move(VNI, host, guest(), epoch)).toMatchObject({ outcome: 'ok' });
      expect(await own.move(VNI, A, guest(), 6)).toMatchObject({ outcome: 'ok', epoch: 7 });
      const now = Number((await cli('TIME')).split('\n')[0]) * 1000;
      const { frozen = 0 } = (await own.owner(VNI, MAC)) ?? {};
      expect(Math.abs(frozen - now - 180_000)).toBeLessThan(5_000);
      const refused = { outcome: 'frozen', host: 'a', epoch: 7 };
      expect(await own.publish(VNI, B, guest(), false)).toEqual(refused);
      expect(await own.move(VNI, B, guest(), 7)).toEqual(refused);
      expect(await mac()).toBe(A.vtep);
      // Who is attached is not damped.
      expect(await own.publish(VNI, B, guest(MAC, [IP], 'attached'), false)).toMatchObject({
        outcome: 'moved',
      });
      expect(await own.move(VNI, B, guest(MAC, [IP], 'attached'), 7)).toMatchObject({ outcome: 'ok' });
      expect(await own.publish(VNI, A, guest(), false)).toMatchObject({ outcome: 'moved' });
      // The first owner gets it back, others do not.
      expect(await own.move(VNI, A, guest(), 8)).toMatchObject({ outcome: 'ok', epoch: 9 });
      expect(await own.move(VNI, B, guest(), 9)).toMatchObject({ outcome: 'frozen' });
      // When that has ended, the count begins anew.
      const past = String(now - 200_000);
      await cli('HSET', key(`owner:${MAC}`), 'frozen', past, 'since', past);
      expect(await own.move(VNI, B, guest(), 9)).toMatchObject({ outcome: 'ok' });
      expect(await own.owner(VNI, MAC)).toMatchObject({ moves: 1, first: 'a', frozen: 0 });
    });

    it('counts the moves of a MAC that was withdrawn meanwhile, for 180 s', async () => {
      await take(A);
      await take(B);
      await own.publish(VNI, A, guest(), false);
      for (const [host, epoch] of [
        [B, 1],
        [A, 2],
      ] as const)
        await own.move(VNI, host, guest(), epoch);
      await own.withdraw(VNI, A, MAC);
      expect(await own.owner(VNI, MAC)).toBeUndefined();
      expect(await mac()).toBe('');
      const left = Number(await cli('PTTL', key(`owner:${MAC}`)));
      expect(left).toBeGreaterThan(170_000);
      expect(left).toBeLessThanOrEqual(180_000);
      // Another host's is one more move, with an epoch that none of the earlier ones had.
      expect(await own.publish(VNI, B, guest(), false)).toMatchObject({ outcome: 'ok', epoch: 4 });
      expect(await own.owner(VNI, MAC)).toMatchObject({ host: 'b', moves: 3, first: 'a' });
      expect(await cli('TTL', key(`owner:${MAC}`))).toBe('-1');
      // One that never moved leaves nothing.
      await own.publish(VNI, B, guest('02:00:00:00:00:77', ['20.0.0.77']), false);
      await own.withdraw(VNI, B, '02:00:00:00:00:77');
      expect(await cli('EXISTS', key('owner:02:00:00:00:00:77'))).toBe('0');
    });

    it('keeps a MAC that was withdrawn while it was frozen for its first owner', async () => {
      await take(A);
      await take(B);
      await own.publish(VNI, A, guest(), false);
      await own.move(VNI, B, guest(), 1);
      const now = Number((await cli('TIME')).split('\n')[0]) * 1000;
      await cli('HSET', key(`owner:${MAC}`), 'frozen', String(now + 100_000));
      await own.withdraw(VNI, B, MAC);
      expect(await own.publish(VNI, B, guest(), false)).toEqual({ outcome: 'frozen', host: 'a', epoch: 2 });
      expect(await own.publish(VNI, A, guest(), false)).toMatchObject({ outcome: 'ok', epoch: 3 });
    });

    it('refuses the sixth move to a host that is not the first', async () => {
      await take(A);
      await take(B);
      const C = { id: 'c', incarnation: 'cccccccccccc', vtep: '10.99.0.3' };
      await take(C);
      await own.publish(VNI, A, guest(), false);
      for (const [host, epoch] of [
        [B, 1],
        [C, 2],
        [B, 3],
        [C, 4],
        [B, 5],
      ] as const)
        await own.move(VNI, host, guest(), epoch);
      expect(await own.move(VNI, C, guest(), 6)).toEqual({ outcome: 'frozen', host: 'b', epoch: 6 });
      expect(await own.publish(VNI, C, guest(), false)).toMatchObject({ outcome: 'frozen' });
      expect(await own.move(VNI, A, guest(), 6)).toMatchObject({ outcome: 'ok' });
    });

    it('leaves records that were overwritten by hand', async () => {
      await take(A);
      await take(B);
      await own.publish(VNI, A, guest(MAC, [IP, IP6]), false);
      await cli('SET', key(`ip:${IP}`), `${OTHER} 10.99.0.9`);
      await own.move(VNI, B, guest(MAC, []), 1);
      expect([await ip(), await ip(IP6)]).toEqual([`${OTHER} 10.99.0.9`, `${MAC} ${B.vtep}`]);
      expect((await own.owner(VNI, MAC))?.ips).toEqual([IP6]);
    });
  });

  it('withdraws some addresses, and the MAC with the last', async () => {
    await take(A);
    await own.publish(VNI, A, guest(MAC, [IP, IP6]), false);
    expect(await own.withdraw(VNI, AGAIN, MAC, [IP])).toBe(0);
    expect(await own.withdraw(VNI, A, MAC, [])).toBe(0);
    expect(await own.withdraw(VNI, A, MAC, [IP])).toBe(1);
    expect([await ip(), await ip(IP6), await mac()]).toEqual(['', `${MAC} ${A.vtep}`, A.vtep]);
    expect(await own.withdraw(VNI, A, MAC, [IP6])).toBe(2);
    expect(await cli('EXISTS', key(`owner:${MAC}`), key('owned:a'), key(`mac:${MAC}`))).toBe('0');
  });

  describe('reaping', () => {
    const macOf = (n: number): string => `02:42:14:00:01:${n.toString(16).padStart(2, '0')}`;

    it('happens in pieces, once, after the lease has ended', async () => {
      await take(A);
      for (let n = 0; n < 5; n++) await own.publish(VNI, A, guest(macOf(n), [`20.0.1.${n}`]), false);
      expect(await own.reap(VNI, 'a', A.incarnation, 2)).toEqual({ reaped: 0, left: 0 });
      await lapse(A);
      expect(await own.reap(VNI, 'a', 'other', 2)).toEqual({ reaped: 0, left: 0 });
      await cli('SET', key('ip:20.0.1.0'), `${MAC} 10.99.0.9`);
      expect(await own.reap(VNI, 'a', A.incarnation, 2)).toEqual({ reaped: 2, left: 3 });
      expect(await own.reap(VNI, 'a', A.incarnation, 3)).toEqual({ reaped: 3, left: 0 });
      expect(await own.reap(VNI, 'a', A.incarnation, 3)).toEqual({ reaped: 0, left: 0 });
      expect(await own.hosts(VNI)).toEqual([]);
      const left = (await Promise.all(nodes.map((node) => node.cli('--scan')))).filter((text) => text !== '');
      expect(left).toEqual([key('ip:20.0.1.0')]);
    });

    it('leaves what moved away, and a host that has returned', async () => {
      await take(A);
      await take(B);
      await own.publish(VNI, A, guest(), false);
      await own.publish(VNI, A, guest(OTHER, [IP6]), false);
      await own.move(VNI, B, guest(), 1);
      // As if a script had left it behind.
      await cli('SADD', key('owned:a'), MAC);
      await lapse(A);
      await take(AGAIN);
      await lapse(AGAIN);
      expect(await own.reap(VNI, 'a', A.incarnation, 9)).toEqual({ reaped: 0, left: 0 });
      expect(await own.reap(VNI, 'a', AGAIN.incarnation, 9)).toEqual({ reaped: 1, left: 0 });
      expect([await ip(), await ip(IP6)]).toEqual([`${MAC} ${B.vtep}`, '']);
    });
  });

  it('tells another host, and hears nothing that is told to others', async () => {
    const heard: OwnerMessage[] = [];
    const messages = own.messages$.subscribe({ next: (message) => heard.push(message), error: fail });
    own.listen([{ vni: VNI, id: 'a' }]);
    const claim: OwnerMessage = { type: 'claim', vni: VNI, from: 'b', mac: OTHER, ip: IP, owner: MAC };
    await vi.waitFor(async () => {
      await own.tell('a', claim);
      expect(heard).toContainEqual(claim);
    });
    heard.length = 0;
    own.listen([{ vni: VNI, id: 'c' }]);
    await vi.waitFor(async () => {
      await own.tell('c', { ...claim, from: 'd' });
      expect(heard).toContainEqual({ ...claim, from: 'd' });
    });
    // In a cluster each master is told to stop by itself.
    await vi.waitFor(async () => {
      heard.length = 0;
      await own.tell('a', claim);
      await cli('PUBLISH', key('tell:c'), '{"type":"claim"}');
      await own.tell('c', { ...claim, from: 'e' });
      await vi.waitFor(() => {
        expect(heard).toContainEqual({ ...claim, from: 'e' });
      });
      for (const message of heard) expect(['d', 'e']).toContain(message.from);
    });
    messages.unsubscribe();
  });

  it('knows how long the server is up', async () => {
    const uptime = await own.uptime();
    expect(uptime).toBeGreaterThanOrEqual(0);
    expect(uptime).toBeLessThan(120_000);
  });
});

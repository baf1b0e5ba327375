/** Guests that the addon hears on the real kernel, and probes; `kernel-lab.ts` draws what it runs in. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Sender } from '../../src/base/vocabulary.ts';
import type { Senders } from '../../src/kernel/kernel.ts';
import {
  A,
  B,
  Listener,
  R,
  br0,
  failures,
  fdb,
  inside,
  ip,
  kernel,
  lab,
  listen,
  neighbour,
  p0,
  p1,
  path,
  ping,
  vx,
} from './kernel-lab.ts';

lab();

const hex = (mac: string): string => mac.replaceAll(':', '');
const ip4 = (last: number): string => `140000${last.toString(16).padStart(2, '0')}`;
const script = new URL('send-frames.py', import.meta.url).pathname;

/** A frame of a guest, sent once or with so many sender addresses from its own on. */
async function send(role: string, frame: string, count = 1): Promise<void> {
  const child = spawn('nsenter', inside(role, `python3 ${script} eth0 ${frame} ${count}`), {
    stdio: 'inherit',
  });
  expect(await once(child, 'exit')).toEqual([0, null]);
}
const arp = (from: string, sender: string, address: string, operation = '0001', type = '0806'): string =>
  `${'f'.repeat(12)}${hex(from)}${type}000108000604${operation}${hex(sender)}${address}${'0'.repeat(12)}${address}`;

/** Listens at the ports of both guests. */
function heed(): Listener {
  const listener = listen('host');
  listener.ns.watchSenders([p0, p1]);
  return listener;
}
const senders = (listener: Listener): Sender[] =>
  listener.events.flatMap((event) => (event.type === 'senders' ? event.senders : []));
const sender = (listener: Listener, matches: (one: Sender) => boolean): Promise<Sender> =>
  listener.until((event) => (event.type === 'senders' ? event.senders.find(matches) : undefined));
/** Addresses from here on are sent last, each once: the same one again would be told a second later. */
let lastAddress = 100;
/** What a guest sends last: whatever came before has been heard. */
async function last(listener: Listener): Promise<void> {
  lastAddress += 1;
  const address = lastAddress;
  await send('b', arp(B, B, ip4(address)));
  await sender(listener, (one) => one.ip === `20.0.0.${address}`);
}

beforeAll(() => {
  const listener = new Listener(kernel.open(path('host'), { receiveBuffer: 1 << 20 }));
  const { ns } = listener;
  // The proxy answers for it.
  expect(failures(ns, [fdb(R, { op: 'replace' }), neighbour('20.0.0.12', { op: 'replace' })])).toEqual([]);
  listener.close();
});

describe('senders', () => {
  it('are told of with their port: ARP, RARP and neighbour discovery', async () => {
    const listener = heed();
    await ping('a', '20.0.0.12');
    expect(await sender(listener, ({ mac }) => mac === A)).toEqual({
      port: p0,
      mac: A,
      ip: '20.0.0.10',
      kind: 'arp',
    });
    await send('a', arp(A, A, ip4(0), '0003', '8035'));
    expect(await sender(listener, ({ kind }) => kind === 'rarp')).toEqual({ port: p0, mac: A, kind: 'rarp' });
    await ping('b', '2001:db8::12');
    expect(await sender(listener, ({ kind }) => kind === 'nd')).toMatchObject({
      port: p1,
      mac: B,
      ip: '2001:db8::11',
    });
    ip('b', 'addr add 2001:db8::bb/64 dev eth0');
    expect(await sender(listener, ({ kind }) => kind === 'dad')).toMatchObject({
      port: p1,
      ip: '2001:db8::bb',
    });
    ip('b', 'addr del 2001:db8::bb/64 dev eth0');
  });

  it('are not those of proxied answers and of announcements, which leave by the port', async () => {
    const listener = heed();
    ip('a', 'neigh flush dev eth0');
    await ping('a', '20.0.0.12');
    listener.ns.announce([{ port: p0, ip: '20.0.0.13', lladdr: R, router: false }]);
    await last(listener);
    expect(senders(listener).map(({ mac }) => mac)).not.toContain(R);
  });

  it('are none that are forged or tagged, and none of ports that nobody watches', async () => {
    const listener = heed();
    await send('a', arp(A, R, ip4(66)));
    await send('a', arp(A, A, ip4(66)).replace('0806', '810000010806'));
    await last(listener);
    expect(senders(listener).filter((one) => one.ip === '20.0.0.66')).toEqual([]);
    listener.ns.watchSenders([p1]);
    await send('a', arp(A, A, ip4(66)));
    await send('b', arp(B, B, ip4(78)));
    await sender(listener, (one) => one.ip === '20.0.0.78');
    expect(senders(listener).filter((one) => one.ip === '20.0.0.66')).toEqual([]);
  });

  it('are told once a second', async () => {
    const listener = heed();
    const count = (): number => senders(listener).filter((one) => one.ip === '20.0.0.67').length;
    for (let round = 0; round < 3; round++) await send('a', arp(A, A, ip4(67)));
    await last(listener);
    const told = count();
    expect(told).toBeGreaterThan(0);
    expect(told).toBeLessThan(3);
  });

  it('of a port that floods are counted, with a name, and others are heard meanwhile and it again later', async () => {
    const listener = heed();
    const flooding = send('a', arp(A, A, '14010000'), 200_000);
    const { passedOver } = await listener.until((event): Senders | undefined =>
      event.type === 'senders' && event.passedOver.length > 0 ? event : undefined,
    );
    expect(passedOver).toEqual([{ port: p0, mac: A, count: expect.any(Number) as number }]);
    await last(listener);
    await flooding;
    expect(senders(listener).filter(({ port }) => port === p0).length).toBeLessThan(256 * 10);
    for (;;) {
      listener.clear();
      await send('a', arp(A, A, ip4(68)));
      await last(listener);
      if (senders(listener).some((one) => one.ip === '20.0.0.68')) break;
    }
  });
});

describe('probe', () => {
  const neighbours = (role: string): string =>
    execFileSync('nsenter', inside(role, 'ip neigh show dev eth0'), { encoding: 'utf8' });

  it.each([
    ['IPv4', '20.0.0.10', '20.0.0.199'],
    ['IPv6', '2001:db8::10', '2001:db8::199'],
  ])('is answered for an address that the guest has, and for no other (%s)', async (_, address, other) => {
    const listener = heed();
    const from = (await listener.ns.links()).find(({ ifindex }) => ifindex === br0)?.lladdr ?? '';
    ip('a', 'neigh flush dev eth0');
    const probe = { port: p0, lladdr: A, from };
    // However soon after the last it comes.
    for (let round = 0; round < 3; round++) {
      listener.clear();
      expect(
        listener.ns.probe([
          { ...probe, ip: other },
          { ...probe, ip: address },
        ]),
      ).toBe(0);
      expect(await sender(listener, (one) => one.ip === address)).toMatchObject({ port: p0, mac: A });
      expect(senders(listener).some((one) => one.ip === other)).toBe(false);
    }
    // The guest remembers nothing, or the bridge by its right address.
    const known = neighbours('a')
      .split('\n')
      .filter((line) => line !== '');
    expect(known.filter((line) => !(line.startsWith('fe80::') && line.includes(from)))).toEqual([]);
  });

  it('leaves by one port alone', async () => {
    const listener = heed();
    expect(listener.ns.probe([{ port: p1, lladdr: A, from: R, ip: '20.0.0.10' }])).toBe(0);
    await last(listener);
    expect(senders(listener).some((one) => one.mac === A)).toBe(false);
    expect(listener.ns.probe([{ port: vx + 999_999, lladdr: A, from: R, ip: '20.0.0.10' }])).toBe(1);
  });
});

/** Which guests a host finds behind its bridge, on the real kernel; `kernel-lab.ts` draws what it runs in. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { pino } from 'pino';
import type { Subscription } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { monotonic } from '../../src/base/clock.ts';
import { FoldedLog } from '../../src/base/log.ts';
import type { Network } from '../../src/directory/network.ts';
import { until } from '../../src/lab/wait.ts';
import { Host } from '../../src/links/host.ts';
import type { ServedDevice } from '../../src/model/device.ts';
import { type GuestChange, LocalGuests } from '../../src/publish/local-guests.ts';
import { A, B, R, inside, ip, kernel, lab, p0, p1, path } from './kernel-lab.ts';

lab();

const SILENCE = 1_000;
const NEWCOMER = '02:00:00:00:00:77';

const network: Network = {
  ...{ name: 'blue', vni: 100, mode: 'bridged', subnet: '20.0.0.0/24', subnet6: '2001:db8::/64' },
  ...{ leaseLength: 24, port: 4789, mtu: 'auto', publish: 'learned', lease: 30, portsLimit: 64, anycast: [] },
};

let host: Host;
let listening: Subscription;
let guests: LocalGuests;
let learning: LocalGuests | undefined;
let changes: GuestChange[];
let broken: unknown[];

beforeEach(async () => {
  broken = [];
  changes = [];
  const faults = {
    broken: (_: string, error: unknown) => void broken.push(error),
    overflown: () => undefined,
  };
  const log = pino({ level: 'silent' });
  const options = {
    ...{ netns: [path('host')], device: [], local: [], strategy: [], receiveBuffer: 1 << 20 },
    negativeLifetime: 5,
  };
  host = new Host(options, kernel, log, faults);
  let device: ServedDevice | undefined;
  listening = host.events$().subscribe({
    next: (event) => {
      if (event.type === 'rows') learning?.onRows(event.changes);
      if (event.type === 'senders') learning?.onSenders(event);
      if (event.type === 'port') learning?.onPort(event.port, event.state);
      if (event.type === 'served') ({ device } = event);
    },
    error: (error: unknown) => expect.fail(String(error)),
  });
  await until('the device', () => Promise.resolve(device !== undefined && host.missing().length === 0));
  if (device === undefined) return;
  device.namespace.kernel.watchTables([device.ifindex, device.bridge]);
  const deps = { now: monotonic, log: new FoldedLog(log, monotonic), faults, silence: SILENCE };
  guests = learning = new LocalGuests(device, network, deps);
  guests.changes$.subscribe({
    next: (change) => changes.push(change),
    error: (error: unknown) => expect.fail(String(error)),
  });
  await guests.start();
});
afterEach(() => {
  learning = undefined;
  guests.stop();
  listening.unsubscribe();
  expect(broken).toEqual([]);
});

const addresses = (mac: string): string[] => [...(guests.get(mac)?.ips.keys() ?? [])].sort();
const has = (mac: string, address: string): Promise<unknown> =>
  until(`${mac} to have ${address}`, () => Promise.resolve(addresses(mac).includes(address)));
const isGone = (mac: string): Promise<unknown> =>
  until(`${mac} to be gone`, () => {
    guests.tick();
    return Promise.resolve(guests.get(mac) === undefined);
  });

/** QEMU announces a guest in this way where it has moved it to. */
async function announce(role: string, mac: string): Promise<void> {
  const hex = mac.replaceAll(':', '');
  const frame = `${'f'.repeat(12)}${hex}80350001080006040003${hex}00000000${hex}00000000`;
  const script = new URL('send-frames.py', import.meta.url).pathname;
  const child = spawn('nsenter', inside(role, `python3 ${script} eth0 ${frame}`), { stdio: 'inherit' });
  expect(await once(child, 'exit')).toEqual([0, null]);
}

describe('a guest', () => {
  it('that says nothing is found with the IPv4 address it has', async () => {
    await Promise.all([has(A, '20.0.0.10'), has(B, '20.0.0.11')]);
    expect([guests.get(A)?.port, guests.get(B)?.port]).toEqual([p0, p1]);
    expect(guests.get(R)).toBeUndefined();
  });

  it('is found with the IPv6 address that it detected no duplicate of', async () => {
    await has(A, '20.0.0.10');
    ip('a', 'addr add 2001:db8::ff:fe00:a/64 dev eth0');
    await until('the detection', () =>
      Promise.resolve(changes.some((one) => one.type === 'seen' && one.announced)),
    );
    await has(A, '2001:db8::ff:fe00:a');
    ip('a', 'addr del 2001:db8::ff:fe00:a/64 dev eth0');
    expect(addresses(A).filter((one) => one.startsWith('fe80'))).toEqual([]);
  });

  it('that its hypervisor announces is known by its MAC, and goes when it is silent', async () => {
    await has(B, '20.0.0.11');
    await announce('b', NEWCOMER);
    await until('the newcomer', () => Promise.resolve(guests.get(NEWCOMER) !== undefined));
    expect(changes).toContainEqual({ type: 'seen', mac: NEWCOMER, port: p1, ips: [], announced: true });
    await isGone(NEWCOMER);
    expect(changes).toContainEqual({ type: 'gone', mac: NEWCOMER, why: 'silent' });
    // It shares the port and answers.
    expect(addresses(B)).toContain('20.0.0.11');
  });

  it('answers a probe for what it has, and for nothing else', async () => {
    await has(A, '20.0.0.10');
    const asked = performance.now();
    expect(await guests.probe(A, '20.0.0.10')).toBe(true);
    expect(performance.now() - asked).toBeLessThan(100);
    expect(await guests.probe(A, '2001:db8::10')).toBe(true);
    expect(await guests.probe(A, '20.0.0.11')).toBe(false);
  });

  it.each([
    ['its own end goes down', () => ip('a', 'link set eth0 down'), () => ip('a', 'link set eth0 up')],
    ['its port goes down', () => ip('host', 'link set p0 down'), () => ip('host', 'link set p0 up')],
    [
      'its port leaves the bridge',
      () => ip('host', 'link set p0 nomaster'),
      () => ip('host', 'link set p0 master br0'),
    ],
  ])('goes at once when %s, and is found again', async (_, leave, back) => {
    await has(A, '20.0.0.10');
    changes.length = 0;
    leave();
    await isGone(A);
    expect(changes).toContainEqual({ type: 'gone', mac: A, why: 'port' });
    back();
    ip('a', 'addr replace 2001:db8::10/64 dev eth0 nodad');
    await announce('a', A);
    await has(A, '20.0.0.10');
    expect(addresses(B)).toContain('20.0.0.11');
  });
});

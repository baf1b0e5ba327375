/** Duplicate address detection where a neighbour is held; `kernel-lab.ts` draws what it runs in. */
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Namespace } from '../../src/kernel/kernel.ts';
import {
  A,
  Listener,
  R,
  failures,
  fdb,
  inside,
  ip,
  kernel,
  lab,
  neighbour,
  path,
  ping,
  vx,
} from './kernel-lab.ts';

const IP4 = '20.0.0.12';
const IP6 = '2001:db8::12';

lab();

let listener: Listener;
let ns: Namespace;
beforeEach(() => {
  listener = new Listener(kernel.open(path('host'), { receiveBuffer: 1 << 20 }));
  ({ ns } = listener);
  const writes = [fdb(R, { op: 'replace' }), ...[IP4, IP6].map((one) => neighbour(one, { op: 'replace' }))];
  expect(failures(ns, writes)).toEqual([]);
});
afterEach(async () => {
  await ns.silenceDad([]);
  listener.close();
});

const said = (role: string, command: string): string =>
  execFileSync('nsenter', inside(role, command), { encoding: 'utf8' });

/** What the guest finds when it comes up with the address. */
async function detect6(): Promise<'taken' | 'free'> {
  ip('a', `addr add ${IP6}/64 dev eth0`);
  try {
    for (;;) {
      const shown =
        said('a', 'ip -6 addr show dev eth0')
          .split('\n')
          .find((line) => line.includes(`${IP6}/`)) ?? '';
      if (shown.includes('dadfailed')) return 'taken';
      if (shown !== '' && !shown.includes('tentative')) return 'free';
      await sleep(50);
    }
  } finally {
    ip('a', `addr del ${IP6}/64 dev eth0`);
  }
}
function detect4(): 'taken' | 'free' {
  const script = new URL('arp-probe.py', import.meta.url).pathname;
  try {
    return said('a', `python3 ${script} eth0 ${A} ${IP4}`).startsWith('free') ? 'free' : 'taken';
  } catch {
    return 'taken';
  }
}

describe('a guest that comes up with an address whose neighbour is held', () => {
  it('finds it taken by the proxy', async () => {
    expect([detect4(), await detect6()]).toEqual(['taken', 'taken']);
  });

  it('finds it taken where the rules are for other devices', async () => {
    await ns.silenceDad([vx + 1_000]);
    expect([detect4(), await detect6()]).toEqual(['taken', 'taken']);
  });

  it('finds it free where the rules are in force, and is answered like before otherwise', async () => {
    expect(await ns.isDadSilenced()).toBe(false);
    await ns.silenceDad([vx]);
    expect(await ns.isDadSilenced()).toBe(true);
    expect([detect4(), await detect6()]).toEqual(['free', 'free']);
    for (const address of [IP4, IP6]) {
      ip('a', 'neigh flush dev eth0');
      expect(await ping('a', address)).toBe(true);
    }
    expect(said('host', 'nft list table bridge missd_dad')).toMatch(/counter detections \{\s*packets [1-9]/);
    await ns.silenceDad([]);
    expect(said('host', 'nft list ruleset')).toBe('');
  });
});

/** Options that SIGHUP puts in force: each shows its effect in a daemon that runs, and the log says what changed. */
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RunOptions } from '../../../src/config/options.ts';
import { Daemon } from '../../../src/daemon/daemon.ts';
import { Reload } from '../../../src/daemon/reload.ts';
import { NUD_STALE } from '../../../src/kernel/netlink.ts';
import { optionsOf } from '../fake/daemon.ts';
import { FakeDirectory } from '../fake/directory.ts';
import { FakeKernel, FakeNamespace } from '../fake/kernel.ts';
import { BRIDGE, GUEST, VNI, VXLAN, ip, link, mac, turns, vtep, vxlanLink } from '../fake/world.ts';

const FLAGS = ['--audit=1000', '--lifetime=1000', '--idle=100000', '--withdrawal-grace=1000'];
/** A second device, on a bridge of its own. */
const OTHER = 20;
const OTHER_BRIDGE = 21;

class Running {
  readonly namespace = new FakeNamespace(() => performance.now());
  readonly directory = new FakeDirectory();
  readonly lines: string[] = [];
  readonly log = pino({ base: null }, { write: (line: string) => void this.lines.push(line) });
  readonly daemon: Daemon;
  next: RunOptions;
  readonly reload: Reload;

  constructor(...flags: string[]) {
    const kernel = new FakeKernel();
    kernel.namespaces.set(null, this.namespace);
    this.namespace.setLink(link('br0', BRIDGE, { kind: 'bridge', bridge: { vlanFiltering: false } }));
    this.namespace.setLink(link('p0', GUEST, { master: BRIDGE }));
    this.namespace.setLink(vxlanLink(VXLAN, true));
    this.namespace.setLink(link('br1', OTHER_BRIDGE, { kind: 'bridge', bridge: { vlanFiltering: false } }));
    this.namespace.setLink({ ...vxlanLink(OTHER, true, { vni: 300 }, 'other'), master: OTHER_BRIDGE });
    for (let n = 1; n <= 40; n++) this.directory.set(VNI, 'ip', ip(n), `${mac(n)} ${vtep(2)}`);
    const options = optionsOf([...FLAGS, ...flags]);
    this.next = options;
    this.daemon = new Daemon(options, kernel, this.directory, this.log);
    this.reload = new Reload(options, this.log, {
      read: () => this.next,
      apply: (live, changed) => {
        this.daemon.reload(live, changed);
      },
      connect: () => undefined,
    });
    this.daemon.start();
  }

  get held(): number {
    return this.device.tables.neighbours.size;
  }

  get device() {
    const found = this.daemon.host.devices().find(({ ifindex }) => ifindex === VXLAN);
    if (found === undefined) throw new Error('the device is not served');
    return found;
  }

  /** SIGHUP, after the configuration has these flags. */
  hangUp(...flags: string[]): void {
    this.next = optionsOf([...FLAGS, ...flags]);
    this.reload.run();
  }

  async pass(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      await vi.advanceTimersByTimeAsync(1_000);
      await turns(4);
    }
  }

  /** One guest asks for these addresses. */
  async ask(...numbers: number[]): Promise<void> {
    const asker = { port: GUEST, lladdr: mac(0xa01), ip: ip(0xa01) };
    this.namespace.tell({
      type: 'misses',
      misses: numbers.map((n) => ({
        ...{ layer: 'l3', ifindex: VXLAN, address: ip(n), state: NUD_STALE, count: 1, asker },
      })),
    });
    await vi.advanceTimersByTimeAsync(10);
    await turns();
  }
}

const upTo = (count: number, from = 1): number[] => Array.from({ length: count }, (_, index) => from + index);

let running: Running;
const start = async (...flags: string[]): Promise<void> => {
  running = new Running(...flags);
  await running.pass(2);
};

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance', 'Date'],
  });
});
afterEach(async () => {
  await running.daemon.stop();
  vi.useRealTimers();
});

describe('an option in force after SIGHUP', () => {
  it('max-entries: entries above the new maximum are evicted', async () => {
    await start();
    await running.ask(...upTo(40));
    expect(running.held).toBe(40);
    running.hangUp('--max-entries=16');
    await running.pass(3);
    expect(running.held).toBeLessThanOrEqual(16);
    expect(running.held).toBeGreaterThan(0);
  });

  it('lifetime: answers are read again after the new lifetime', async () => {
    await start();
    await running.ask(1);
    const before = running.directory.reads.length;
    await running.pass(5);
    expect(running.directory.reads).toHaveLength(before);
    running.hangUp('--lifetime=2');
    await running.pass(5);
    expect(running.directory.reads.length).toBeGreaterThan(before);
  });

  it('audit: a deleted row is restored after the new interval', async () => {
    await start();
    await running.ask(1);
    running.namespace.removeNeighbour(VXLAN, ip(1));
    await running.pass(5);
    expect(running.namespace.neighbour(VXLAN, ip(1))).toBeUndefined();
    running.hangUp('--audit=1');
    await running.pass(3);
    expect(running.namespace.neighbour(VXLAN, ip(1))?.lladdr).toBe(mac(1));
  });

  it('idle: an entry without traffic is removed after the new time', async () => {
    await start('--audit=1');
    await running.ask(1);
    await running.pass(6);
    expect(running.held).toBe(1);
    running.hangUp('--audit=1', '--idle=2');
    await running.pass(8);
    expect(running.held).toBe(0);
  });

  it('negative-lifetime: an unknown address is looked up again after the new time', async () => {
    await start('--negative-lifetime=100');
    const lookups = (): number =>
      running.directory.reads.flat().filter(({ address }) => address === ip(99)).length;
    await running.ask(99);
    await running.ask(99);
    expect(lookups()).toBe(1);
    running.hangUp('--negative-lifetime=1');
    await running.ask(99);
    await running.ask(99);
    expect(lookups()).toBe(2);
    await running.pass(2);
    await running.ask(99);
    expect(lookups()).toBe(3);
  });

  it('lookup-rate: a port asks for no more unknown addresses than the new rate', async () => {
    await start('--lookup-rate=1000');
    const asked = async (from: number): Promise<number> => {
      const before = running.directory.reads.flat().length;
      await running.ask(...upTo(100, from));
      return running.directory.reads.flat().length - before;
    };
    expect(await asked(1_000)).toBe(100);
    running.hangUp('--lookup-rate=8');
    await running.pass(5);
    expect(await asked(2_000)).toBeLessThanOrEqual(8);
  });

  it('withdrawal-grace: entries that lost their records all at once are removed after the new time', async () => {
    await start();
    await running.ask(...upTo(40));
    for (const n of upTo(40)) running.directory.delete(VNI, 'ip', ip(n));
    running.directory.change({ type: 'flushed' });
    await running.pass(5);
    expect(running.held).toBe(40);
    running.hangUp('--withdrawal-grace=6');
    await running.pass(12);
    expect(running.held).toBe(0);
  });

  it('vtep-allow: entries of a VTEP that is no longer allowed are removed, and restored when it is allowed again', async () => {
    await start();
    await running.ask(1);
    running.hangUp('--vtep-allow=192.0.2.0/24');
    await running.pass(2);
    expect(running.held).toBe(0);
    running.hangUp();
    await running.ask(1);
    expect(running.held).toBe(1);
  });

  it('log-level: each miss has a line with debug, and none with info', async () => {
    await start();
    const lines = (): number => running.lines.filter((line) => line.includes('L3 miss')).length;
    await running.ask(1);
    expect(lines()).toBe(0);
    running.hangUp('--log-level=debug');
    await running.ask(2);
    expect(lines()).toBe(1);
    running.hangUp();
    await running.ask(3);
    expect(lines()).toBe(1);
  });

  it('device: a newly named device is served, and a device that is no longer named is not', async () => {
    await start(`--device=other`);
    const served = (): number[] => running.daemon.host.devices().map(({ ifindex }) => ifindex);
    expect(served()).toEqual([OTHER]);
    running.hangUp(`--device=${running.namespace.linkTable.get(VXLAN)?.name ?? ''}`);
    await running.pass(1);
    expect(served()).toEqual([VXLAN]);
    await running.ask(1);
    expect(running.held).toBe(1);
  });
});

it('the log names changed options, and options that need a restart, which are not applied', async () => {
  await start();
  running.hangUp('--lifetime=7', '--receive-buffer=1MiB', '--broadcast-rate=9');
  const said = running.lines.map((line) => (JSON.parse(line) as { msg: string }).msg);
  expect(said).toContain('SIGHUP: lifetime 1000 → 7');
  expect(said.find((line) => line.includes('a restart is needed'))).toMatch(/receive-buffer/);
  expect(said.find((line) => line.includes('a restart is needed'))).toMatch(/broadcast-rate/);
  expect(running.daemon.options.broadcastRate).toBe(200);
});

it('an invalid configuration changes nothing, not even its valid values', async () => {
  await start();
  running.next = { ...running.next, lifetime: 9, vtepAllow: ['nonsense'] };
  running.reload.run();
  expect(running.daemon.options.lifetime).toBe(1_000);
  expect(running.lines.at(-1)).toContain('nothing is changed');
});

import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Subscription } from 'rxjs';
import { Notifier } from '../../../src/service/notify.ts';
import { supervised } from '../../../src/service/supervised.ts';
import type { DirectoryState } from '../../../src/directory/directory.ts';
import { World } from '../fake/world.ts';

let world: World;
let daemon: {
  waitsFor: string[];
  readiness: { unserved: () => string[]; directory: DirectoryState };
  host: {
    devices: () => { name: string }[];
    namespaces: Map<string, { name: string; kernel: World['kernel'] }>;
  };
  reconciler: { guard: { active: number[] } };
};
let sent: string[];
let telling: Subscription;

beforeEach(() => {
  vi.useFakeTimers();
  world = new World();
  sent = [];
  daemon = {
    waitsFor: [],
    readiness: { unserved: () => daemon.waitsFor, directory: { up: true } },
    host: {
      devices: () => [{ name: 'vxlan100@own' }],
      namespaces: new Map([['own', { name: 'own', kernel: world.kernel }]]),
    },
    reconciler: { guard: { active: [] } },
  };
});
afterEach(() => {
  telling.unsubscribe();
  vi.useRealTimers();
});

function begin(env: Record<string, string> = {}): void {
  const notifier = Notifier.take({ NOTIFY_SOCKET: '/x', ...env }, (_socket, text) => void sent.push(text));
  telling = supervised(daemon, notifier, world.log);
}

/** What was said in this time. */
function after(milliseconds: number): string[] {
  sent = [];
  vi.advanceTimersByTime(milliseconds);
  return sent;
}

it('sends READY once when nothing is missing, with or without a directory', () => {
  daemon.waitsFor = ['namespace blue'];
  daemon.readiness.directory = { up: false, reason: 'no route', since: performance.now() };
  begin();
  const waiting = after(500).join('\n');
  expect(waiting).toMatch(
    /^STATUS=waiting for namespace blue; directory down since .* UTC \(no route\), entries stay$/m,
  );
  // A start that waits for something may take longer than TimeoutStartSec.
  expect(waiting).toMatch(/^EXTEND_TIMEOUT_USEC=\d+$/m);
  expect(waiting).not.toContain('READY');
  daemon.waitsFor = [];
  expect(after(250)).toEqual([
    expect.stringMatching(/^STATUS=ready, serving vxlan100@own; directory down.*\nREADY=1$/),
  ]);
  daemon.waitsFor = ['namespace blue'];
  expect(after(1_000)).toEqual([expect.stringMatching(/^STATUS=waiting for namespace blue; [^\n]*$/)]);
  daemon.waitsFor = [];
  expect(after(1_000).join()).not.toContain('READY');
});

it('sends STATUS only at changes', () => {
  begin();
  expect(after(10_000)).toEqual(['STATUS=ready, serving vxlan100@own\nREADY=1']);
  daemon.readiness.directory = { up: false, reason: 'gone', since: performance.now() };
  expect(after(10_000)).toHaveLength(1);
  daemon.readiness.directory = { up: true };
  daemon.reconciler.guard.active = [100, 200, 300];
  expect(after(10_000)).toEqual([
    'STATUS=ready, serving vxlan100@own; withdrawal guard: VNI 100, 200, … (3) lost most records all at once, entries stay for now',
  ]);
  daemon.reconciler.guard.active = [];
  daemon.host.devices = () => [{ name: 'a' }, { name: 'b' }, { name: 'c' }];
  expect(after(10_000)).toEqual(['STATUS=ready, serving 3 VXLAN devices']);
  daemon.host.devices = () => [];
  expect(after(10_000)).toEqual(['STATUS=ready, no VXLAN device to serve yet']);
});

it('sends WATCHDOG only while misses are read', () => {
  begin({ WATCHDOG_USEC: '4000000' });
  const signs = (): number => after(10_000).filter((text) => text.includes('WATCHDOG=1')).length;
  expect(signs()).toBe(5);
  world.kernel.deaf = true;
  expect(signs()).toBe(0);
  expect(world.lines.at(-1)).toContain('misses of own are not being read');
  world.kernel.deaf = false;
  expect(signs()).toBe(5);
});

it('sends STOPPING, and nothing more', () => {
  begin({ WATCHDOG_USEC: '4000000' });
  after(1_000);
  sent = [];
  telling.unsubscribe();
  expect(sent).toEqual(['STOPPING=1\nSTATUS=stopping']);
  expect(after(10_000)).toEqual([]);
});

it('does nothing without a service manager', () => {
  telling = supervised(daemon, undefined, world.log);
  expect(vi.getTimerCount()).toBe(0);
});

/** Real signals: what is sent before anybody listens, or while a reload is under way, leads to one more reload afterwards. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

const argv = [...process.argv];
/** Signals are delivered when the event loop turns. */
const until = (what: () => boolean): Promise<void> =>
  vi.waitFor(() => {
    expect(what()).toBe(true);
  });

let onHangup: (act: () => void) => void;
const heard = vi.fn();
beforeEach(async () => {
  heard.mockReset();
  process.argv[2] = 'run';
  vi.resetModules();
  ({ onHangup } = await import('../../../src/daemon/hangup.ts'));
  // Behind the handler that is tested.
  process.on('SIGHUP', heard);
});
afterEach(() => {
  process.argv = [...argv];
  process.removeAllListeners('SIGHUP');
});

const hangUp = (): void => {
  process.kill(process.pid, 'SIGHUP');
};

it('signals during the start cause one reload when the daemon listens', async () => {
  hangUp();
  await until(() => heard.mock.calls.length === 1);
  hangUp();
  await until(() => heard.mock.calls.length === 2);
  const reload = vi.fn();
  onHangup(reload);
  expect(reload).toHaveBeenCalledTimes(1);
});

it('a signal during a reload causes another reload after it', async () => {
  let underWay = 0;
  const overlaps: number[] = [];
  onHangup(() => {
    overlaps.push(underWay++);
    if (overlaps.length === 1) hangUp();
    underWay--;
  });
  expect(overlaps).toEqual([]);
  hangUp();
  await until(() => heard.mock.calls.length === 2);
  expect(overlaps).toEqual([0, 0]);
});

it('commands other than run end at the signal', async () => {
  process.removeAllListeners('SIGHUP');
  process.argv[2] = 'top';
  vi.resetModules();
  await import('../../../src/daemon/hangup.ts');
  expect(process.listenerCount('SIGHUP')).toBe(0);
});

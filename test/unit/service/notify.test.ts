import { describe, expect, it } from 'vitest';
import { Notifier } from '../../../src/service/notify.ts';

const SOCKET = '/run/systemd/notify';

describe('the variables of systemd', () => {
  it('are removed from the environment, so that no child uses them', () => {
    const env = { NOTIFY_SOCKET: SOCKET, WATCHDOG_USEC: '1', WATCHDOG_PID: '1', PATH: '/bin' };
    expect(Notifier.take(env)).toBeDefined();
    expect(env).toEqual({ PATH: '/bin' });
  });

  it.each([
    ['nothing', {}],
    ['an empty name', { NOTIFY_SOCKET: '' }],
    ['a name that is neither a path nor abstract', { NOTIFY_SOCKET: 'vsock:2:9999' }],
    ['an abstract socket without a name', { NOTIFY_SOCKET: '@' }],
  ])('%s: no service manager', (_what, env) => {
    expect(Notifier.take({ ...env })).toBeUndefined();
  });

  it.each([
    ['half of the timeout', { WATCHDOG_USEC: '30000000' }, 15_000],
    [
      'the same said to this process',
      { WATCHDOG_USEC: '30000000', WATCHDOG_PID: String(process.pid) },
      15_000,
    ],
    ['every minute, when it is to be rarer than a timer can be', { WATCHDOG_USEC: '1e300' }, 60_000],
    ['never, when another process is meant', { WATCHDOG_USEC: '30000000', WATCHDOG_PID: '1' }, undefined],
    ['never, when it waits for nothing', {}, undefined],
    ['never, when that is no number', { WATCHDOG_USEC: 'soon' }, undefined],
    ['never, when that is zero', { WATCHDOG_USEC: '0' }, undefined],
  ])('the watchdog interval: %s', (_what, env, expected) => {
    expect(Notifier.take({ NOTIFY_SOCKET: SOCKET, ...env })?.watchdog).toBe(expected);
  });
});

describe('variables', () => {
  it('are lines of one datagram', () => {
    const sent: string[][] = [];
    const notifier = Notifier.take({ NOTIFY_SOCKET: '@missd' }, (...one) => void sent.push(one));
    notifier?.tell({ READY: '1', STATUS: 'connect failed:\n  WATCHDOG=trigger' });
    expect(sent).toEqual([['@missd', 'READY=1\nSTATUS=connect failed: WATCHDOG=trigger']]);
  });

  it('that could not be sent are sent with the next ones, each with its latest value', () => {
    const sent: string[] = [];
    let full = true;
    const notifier = Notifier.take({ NOTIFY_SOCKET: SOCKET }, (_socket, text) => {
      if (full) throw new Error('EAGAIN');
      sent.push(text);
    });
    notifier?.tell({ READY: '1', STATUS: 'one' });
    notifier?.tell({ STATUS: 'two' });
    full = false;
    notifier?.tell({});
    notifier?.tell({});
    expect(sent).toEqual(['READY=1\nSTATUS=two']);
  });
});

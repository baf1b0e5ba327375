import { beforeEach, describe, expect, it } from 'vitest';
import type { NamedSocket } from '../../../src/kernel/kernel.ts';
import { type DeviceLock, lockDevice, unlockDevice } from '../../../src/links/device-lock.ts';
import { LockHolders } from '../../../src/links/lock-holder.ts';
import { FakeNames } from '../fake/names.ts';

const OWN = process.getuid?.() ?? 0;
const NOBODY = 65_534;
const DEVICE = 5;
const PLAIN = `missd/device/${DEVICE}`;

let names: FakeNames;
/** Of each user. */
const kernel = (uid = OWN) => ({
  lock: (name: string, kind: 'listening' | 'datagram' = 'listening') => names.bind(name, kind, uid),
  unlock: (name: string, kind: 'listening' | 'datagram' = 'listening') => {
    names.close(name, kind);
  },
  namedSockets: (prefix: string) => names.list(prefix),
});
let missds: boolean;
const lock = (uid = OWN): DeviceLock => lockDevice(kernel(uid), DEVICE, () => missds);
const isOurs = ({ names: taken }: DeviceLock): boolean => taken !== undefined;

beforeEach(() => {
  names = new FakeNames();
  missds = true;
});

describe('a device', () => {
  it('has one missd until that missd releases it', () => {
    const first = lock();
    expect(isOurs(first)).toBe(true);
    const second = lock();
    expect(isOurs(second)).toBe(false);
    expect(second.by).toMatchObject({ uid: OWN, listening: true });
    unlockDevice(kernel(), first);
    expect(names.list('')).toEqual([]);
    expect(isOurs(lock())).toBe(true);
  });

  it.each(['listening', 'datagram'] as const)(
    'is served although another program has its name (%s), and by one missd only',
    (kind) => {
      names.bind(PLAIN, kind, NOBODY);
      names.bind(`${PLAIN}/0123456789abcdef`, kind, NOBODY);
      names.bind(`missd/claim/${DEVICE}/0`, kind, NOBODY);
      const first = lock();
      expect(isOurs(first)).toBe(true);
      expect(first.by).toMatchObject({ uid: NOBODY });
      expect(isOurs(lock())).toBe(false);
      unlockDevice(kernel(), first);
      expect(isOurs(lock())).toBe(true);
    },
  );

  it('stays with a missd of an earlier release, which binds a name and does not listen', () => {
    names.bind(PLAIN, 'datagram', OWN);
    expect(lock()).toMatchObject({ by: { name: PLAIN } });
    missds = false;
    expect(isOurs(lock())).toBe(true);
  });

  it('is refused by an earlier release, which finds the name taken', () => {
    lock();
    expect(names.bind(PLAIN, 'datagram', OWN)).toBe(false);
  });

  it('is left to an earlier release that starts at the same moment', () => {
    names.onLock = (name) => {
      if (!name.startsWith(`${PLAIN}/`)) return;
      names.onLock = () => undefined;
      names.bind(PLAIN, 'datagram', OWN);
    };
    expect(isOurs(lock())).toBe(false);
    expect(names.list('')).toMatchObject([{ name: PLAIN }]);
  });

  it.each([1, 2, 3, 4, 5, 6])('has one missd if another one starts after step %i', (step) => {
    const locks: DeviceLock[] = [];
    let steps = 0;
    names.onLock = () => {
      if (++steps !== step) return;
      names.onLock = () => undefined;
      locks.push(lock());
    };
    locks.push(lock());
    const others = [lock(), lock()];
    expect([...locks, ...others].filter(isOurs)).toHaveLength(1);
  });

  it('is left alone, and stays unlocked, while another claim exists', () => {
    names.bind(`missd/claim/${DEVICE}/0`, 'listening', OWN);
    expect(lock()).toEqual({});
    names.close(`missd/claim/${DEVICE}/0`, 'listening');
    expect(isOurs(lock())).toBe(true);
  });

  it('is locked by name alone if the kernel does not tell owners', () => {
    names.failure = new Error('no unix_diag');
    const first = lock();
    expect(isOurs(first)).toBe(true);
    expect(isOurs(lock())).toBe(false);
    unlockDevice(kernel(), first);
    expect(isOurs(lock())).toBe(true);
  });
});

describe('the holder of a name', () => {
  const socket: NamedSocket = { name: PLAIN, inode: 7, uid: NOBODY, listening: false };

  it('is described by process, program and user', () => {
    const holders = new LockHolders(() => ({ pid: 12, comm: 'python3', program: 'python3.11' }));
    expect(holders.describe(socket)).toBe('pid 12 (python3, uid 65534)');
    expect(holders.isMissd(socket)).toBe(false);
  });

  it('may be a missd if it is not visible', () => {
    const holders = new LockHolders(() => undefined);
    expect(holders.describe(socket)).toBe('a process not seen from here (uid 65534)');
    expect(holders.isMissd(socket)).toBe(true);
  });

  it('is searched for once', () => {
    let looks = 0;
    const holders = new LockHolders(() => {
      looks++;
      return undefined;
    });
    holders.describe(socket);
    holders.isMissd(socket);
    expect(looks).toBe(1);
  });
});

/**
 * One missd per device. The lock is an abstract unix socket in the served namespace, so that containers see it too; it
 * ends with its process. Any process there can bind any name, so a name proves nothing: a missd is a listening socket of
 * root or of our own user, with a random suffix in its name.
 *
 *   1. bind a claim with a random name
 *   2. list all sockets with our prefix: where one serves the device, or is another claim, withdraw the claim
 *   3. bind the lock, also with a random name, and withdraw the claim
 *
 * Of two processes that claim at once, the later one sees the earlier, whose claim ends only after its lock is bound.
 */
import { randomBytes } from 'node:crypto';
import type { NamedSocket, Namespace } from '../kernel/kernel.ts';

/** Number of tries while another claim exists, and the longest pause before each, ms: a claim lasts microseconds. */
const TRIES = 20;
const PAUSE = 5;

export interface DeviceLock {
  /** Names to unbind later; absent where another missd has the device. */
  names?: { listening: string; datagram?: string };
  /** The socket of the other missd; where the lock is ours, a socket of another program with a name of the lock. */
  by?: NamedSocket | undefined;
}

/** Whether a socket that does not listen belongs to a missd (of release 0.1). */
type IsMissd = (socket: NamedSocket) => boolean;
type Names = Pick<Namespace, 'lock' | 'unlock' | 'namedSockets'>;

/** @throws KernelError */
export function lockDevice(kernel: Names, ifindex: number, isMissd: IsMissd): DeviceLock {
  // Without unix_diag owners are not visible: the name alone is the lock.
  if (holdersIn(kernel) === undefined) return lockByName(kernel, ifindex);
  const own = randomBytes(8).toString('hex');
  const claim = `${CLAIM}${ifindex}/${own}`;
  for (let attempt = 0; attempt < TRIES; attempt++) {
    if (attempt > 0) pause(Math.random() * PAUSE);
    kernel.lock(claim);
    try {
      const sockets = kernel.namedSockets(PREFIX);
      const by = sockets.find((one) => serves(one, ifindex, isMissd));
      if (by !== undefined) return { by };
      if (!sockets.some((one) => one.name !== claim && isClaim(one, ifindex)))
        return take(kernel, ifindex, own, isMissd);
    } finally {
      kernel.unlock(claim);
    }
  }
  return {};
}

/** Whether a device may be free now; true where the kernel cannot tell. @param sockets from `holdersIn` */
export const mayBeFree = (
  sockets: readonly NamedSocket[] | undefined,
  ifindex: number,
  isMissd: IsMissd,
): boolean => sockets?.some((one) => serves(one, ifindex, isMissd)) !== true;

/** Whether a missd serves any device here; true where the kernel cannot tell. @param sockets from `holdersIn` */
export const servesAnything = (sockets: readonly NamedSocket[] | undefined): boolean =>
  sockets?.some((one) => isTrusted(one) && one.name.startsWith(LOCK)) !== false;

/** Every socket with our prefix, for all devices at once; undefined where the kernel cannot tell. */
export function holdersIn(kernel: Names): NamedSocket[] | undefined {
  try {
    return kernel.namedSockets(PREFIX);
  } catch {
    return undefined;
  }
}

export function unlockDevice(kernel: Names, { names }: DeviceLock): void {
  if (names === undefined) return;
  kernel.unlock(names.listening);
  if (names.datagram !== undefined) kernel.unlock(names.datagram, 'datagram');
}

/** Whether a socket belongs to root or our own user. */
const isTrusted = ({ uid }: NamedSocket): boolean =>
  uid === undefined || uid === 0 || uid === process.getuid?.();

const PREFIX = 'missd/';
const CLAIM = `${PREFIX}claim/`;
const LOCK = `${PREFIX}device/`;
/** The name of the datagram socket that release 0.1 binds; binding it keeps that release away. */
const plainName = (ifindex: number): string => `${LOCK}${ifindex}`;

function take(kernel: Names, ifindex: number, own: string, isMissd: IsMissd): DeviceLock {
  const listening = `${LOCK}${ifindex}/${own}`;
  const datagram = plainName(ifindex);
  kernel.lock(listening);
  try {
    return conclude(kernel, ifindex, isMissd, listening, kernel.lock(datagram, 'datagram'));
  } catch (error) {
    // A leftover lock would look like another missd at the next try.
    unlockDevice(kernel, { names: { listening, datagram } });
    throw error;
  }
}

function conclude(
  kernel: Names,
  ifindex: number,
  isMissd: IsMissd,
  listening: string,
  whole: boolean,
): DeviceLock {
  const datagram = plainName(ifindex);
  const others = kernel
    .namedSockets(LOCK)
    .filter(({ name, listening: listens }) =>
      name === datagram ? listens || !whole : name !== listening && name.startsWith(`${datagram}/`),
    );
  // A release 0.1 that begins at this moment knows no claims.
  const served = others.find((one) => serves(one, ifindex, isMissd));
  const names = { listening, ...(whole ? { datagram } : {}) };
  if (served === undefined) return { names, by: others[0] };
  unlockDevice(kernel, { names });
  return { by: served };
}

function lockByName(kernel: Names, ifindex: number): DeviceLock {
  const datagram = plainName(ifindex);
  const listening = `${LOCK}${ifindex}/0`;
  if (!kernel.lock(datagram, 'datagram')) return {};
  kernel.lock(listening);
  return { names: { listening, datagram } };
}

function serves(socket: NamedSocket, ifindex: number, isMissd: IsMissd): boolean {
  if (!isTrusted(socket)) return false;
  if (socket.listening) return socket.name.startsWith(`${LOCK}${ifindex}/`);
  return socket.name === plainName(ifindex) && isMissd(socket);
}

const isClaim = (socket: NamedSocket, ifindex: number): boolean =>
  socket.listening && isTrusted(socket) && socket.name.startsWith(`${CLAIM}${ifindex}/`);

function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/**
 * One missd per device. The lock lives in the served namespace, so that containers see it too: an abstract unix socket,
 * gone with its process. Anybody there can bind any name, so a name proves nothing: a missd is a listening socket of root
 * or of our own user, whatever its name ends in, and whatever names others have taken.
 *
 *   1. a claim of our own, under a name that nobody can guess
 *   2. every socket whose name begins as ours do: one that serves, or another claim, and ours is withdrawn
 *   3. the lock, also under a name of its own, and the claim ends
 *
 * Of two that claim at once the later sees the earlier, whose claim ends only after its lock stands.
 */
import { randomBytes } from 'node:crypto';
import type { NamedSocket, Namespace } from '../kernel/kernel.ts';

/** The same claim is tried again so often while another one stands, after up to so many ms: it takes microseconds. */
const TRIES = 20;
const PAUSE = 5;

export interface DeviceLock {
  /** Names to give back; absent where another missd has the device. */
  names?: { listening: string; datagram?: string };
  /** Who has it; where it is ours, who has taken a name of its lock and is no missd. */
  by?: NamedSocket | undefined;
}

/** Tells a missd whose socket does not listen, as of an earlier release, from anything else. */
type IsMissd = (socket: NamedSocket) => boolean;
type Names = Pick<Namespace, 'lock' | 'unlock' | 'namedSockets'>;

/** @throws KernelError */
export function lockDevice(kernel: Names, ifindex: number, isMissd: IsMissd): DeviceLock {
  // Without unix_diag nobody can be told from anybody: the name alone is the lock.
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

/** Whether a device may be free by now; true where that cannot be told. @param sockets of `holdersIn` */
export const mayBeFree = (
  sockets: readonly NamedSocket[] | undefined,
  ifindex: number,
  isMissd: IsMissd,
): boolean => sockets?.some((one) => serves(one, ifindex, isMissd)) !== true;

/** Whether a missd serves anything here; true where that cannot be told. @param sockets of `holdersIn` */
export const servesAnything = (sockets: readonly NamedSocket[] | undefined): boolean =>
  sockets?.some((one) => isTrusted(one) && one.name.startsWith(LOCK)) !== false;

/** Every socket with a name of ours, for many devices at once; undefined where the kernel cannot tell. */
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

/** Whether a user may be trusted to be no squatter. */
const isTrusted = ({ uid }: NamedSocket): boolean =>
  uid === undefined || uid === 0 || uid === process.getuid?.();

const PREFIX = 'missd/';
const CLAIM = `${PREFIX}claim/`;
const LOCK = `${PREFIX}device/`;
/** The whole name up to release 0.1, of a datagram socket, and what keeps such a release away. */
const plainName = (ifindex: number): string => `${LOCK}${ifindex}`;

function take(kernel: Names, ifindex: number, own: string, isMissd: IsMissd): DeviceLock {
  const listening = `${LOCK}${ifindex}/${own}`;
  const datagram = plainName(ifindex);
  kernel.lock(listening);
  try {
    return conclude(kernel, ifindex, isMissd, listening, kernel.lock(datagram, 'datagram'));
  } catch (error) {
    // Ours would be taken for another missd's the next time.
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
  // An earlier release that began at this moment knows nothing of claims.
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

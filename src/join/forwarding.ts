/** Whether the kernel routes what comes in by an interface; of routed networks alone. */
import { inside, printed } from '../inspect/inside.ts';

/** IPv6 has one switch for the whole namespace that counts (net/ipv6/ip6_output.c, ip6_forward). */
const fileOf = (name: string, family: 4 | 6): string =>
  family === 4 ? `/proc/sys/net/ipv4/conf/${name}/forwarding` : '/proc/sys/net/ipv6/conf/all/forwarding';

/** Of the whole namespace: what answers to masqueraded packets come in by is not known. */
const WHOLE = '/proc/sys/net/ipv4/ip_forward';

export interface Forwarding {
  names: readonly string[];
  family: 4 | 6;
  /** Whether every interface has to forward. */
  whole: boolean;
}

/**
 * Turns it on where it is off. Nothing turns it off again but the end of the interface.
 * @param path of the namespace, null for the daemon's own
 * @returns the settings that were changed
 * @throws Error where it cannot be written
 */
export async function ensureForwarding(path: string | null, wanted: Forwarding): Promise<string[]> {
  const { names, family, whole } = wanted;
  const files = [...new Set([...names.map((name) => fileOf(name, family)), ...(whole ? [WHOLE] : [])])];
  if (files.length === 0) return [];
  const values = (await printed(path, ['cat', ...files])).trim().split('\n');
  const off = files.filter((_, index) => values[index]?.trim() === '0');
  if (off.length === 0) return [];
  const { code, stderr } = await inside(path, ['tee', ...off], undefined, '1\n');
  if (code !== 0) throw new Error(`forwarding cannot be turned on: ${stderr.split('\n')[0] ?? ''}`);
  return off.map((file) => file.replace('/proc/sys/', '').replaceAll('/', '.'));
}

/** Runs ping of iputils with don't-fragment set, to find out whether a packet of a size gets through. */
import { reasonOf } from '../base/errors.ts';
import type { Ip } from '../base/vocabulary.ts';
import { inside } from './inside.ts';

export type Pinged =
  /** Milliseconds of the first answer. */
  | { outcome: 'answered'; rtt: number }
  | { outcome: 'silent' }
  /** Larger than the MTU of a link on the path; `mtu` if a router reported it. */
  | { outcome: 'too_big'; mtu?: number }
  /** A host reported that the address is unreachable; its text. */
  | { outcome: 'unreachable'; said: string }
  /** ping is not installed or not permitted. */
  | { outcome: 'not_tried'; said: string };

/** Payload of an echo request in an IP packet of this size, bytes: without the IP and ICMP headers. */
const payload = (ip: Ip, size: number): number => size - (ip.includes(':') ? 48 : 28);

/** ms. */
const TIMEOUT = 6_000;

/**
 * Sends two echo requests. One answer is enough, because the first request may have to wait for an entry.
 * @param ip an address; a link-local address with its interface, `fe80::2%eth0`
 * @param size of the IP packet, bytes
 */
export async function ping(path: string | null, ip: string, size: number): Promise<Pinged> {
  const argv = ['ping', '-n', '-c', '2', '-i', '0.2', '-W', '1', '-M', 'do'];
  try {
    const { stdout, stderr } = await inside(
      path,
      [...argv, '-s', String(Math.max(0, payload(ip, size))), ip],
      TIMEOUT,
    );
    return parsePing(stdout, stderr);
  } catch (error) {
    return { outcome: 'not_tried', said: reasonOf(error) };
  }
}

export function parsePing(stdout: string, stderr: string): Pinged {
  const rtt = /time[=<]([\d.]+) ms/.exec(stdout)?.[1];
  if (rtt !== undefined) return { outcome: 'answered', rtt: Number(rtt) };
  const text = `${stdout}\n${stderr}`;
  const mtu = /mtu ?= ?(\d+)/i.exec(text)?.[1];
  if (/message too long|frag needed|packet too big/i.test(text))
    return { outcome: 'too_big', ...(mtu !== undefined && { mtu: Number(mtu) }) };
  const unreachable = /(Destination .*|Network is .*|No route to host|Host is down|Required key .*)$/im.exec(
    text,
  );
  if (unreachable !== null) return { outcome: 'unreachable', said: unreachable[1]?.trim() ?? '' };
  if (/packets transmitted/.test(stdout)) return { outcome: 'silent' };
  return {
    outcome: 'not_tried',
    said:
      text
        .trim()
        .split('\n')[0]
        ?.replace(/^ping: /, '') ?? '',
  };
}

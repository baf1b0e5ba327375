/** Arguments and output of ping from iputils. */

export interface PingOptions {
  /** Echo requests. Default 1. */
  count?: number;
  /** Seconds between two. Default 0.2. */
  interval?: number;
  /** Seconds to wait for an answer. Default 2: an answer after the guest's ARP retry (1 s) is late, not lost. */
  timeout?: number;
  /** Payload bytes. */
  size?: number;
}

export interface Pinged {
  ip: string;
  sent: number;
  received: number;
  /** Round trip times in milliseconds, in the order of the requests that were answered. */
  rtts: number[];
}

export function pingArgv(
  ip: string,
  { count = 1, interval = 0.2, timeout = 2, size }: PingOptions,
): string[] {
  const sized = size === undefined ? [] : ['-s', String(size)];
  return ['ping', '-n', '-c', String(count), '-i', String(interval), '-W', String(timeout), ...sized, ip];
}

/**
 * @throws Error if ping sent nothing (`ping: connect: Network is unreachable`), which is a fault of the lab, not a lost
 *   packet
 */
export function parsePing(ip: string, text: string, said = ''): Pinged {
  const sent = /^(\d+) packets transmitted/m.exec(text)?.[1];
  if (sent === undefined) throw new Error(`ping ${ip}: ${(said || text).trim()}`);
  const rtts = new Map<number, number>();
  for (const [line, sequence = '', time = ''] of text.matchAll(/icmp_seq=(\d+) .*?time=([\d.]+) ms.*$/gm)) {
    if (!line.includes('(DUP!)')) rtts.set(Number(sequence), Number(time));
  }
  return { ip, sent: Number(sent), received: rtts.size, rtts: [...rtts.values()] };
}

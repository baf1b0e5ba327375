/** The lab's address plan: readable numbers, so that a host or guest is known by any of its addresses. */

/** Underlay addresses of host N. */
export const hostIp4 = (n: number): string => `10.99.0.${n}`;
export const hostIp6 = (n: number): string => `fd99::${n}`;

/** Guest N. The decimal number is used as hexadecimal digits, so `20.0.0.101` and `fd20::101` are one guest's. */
export const guestIp4 = (n: number): string => `20.0.0.${n}`;
export const guestIp6 = (n: number): string => `fd20::${n}`;

/** `02:42:` and the four bytes of the IPv4 address, as Docker does it. */
export function macOf(ip4: string): string {
  const bytes = ip4.split('.').map((byte) => Number(byte).toString(16).padStart(2, '0'));
  return ['02', '42', ...bytes].join(':');
}

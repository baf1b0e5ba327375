/** The lab's address plan: readable numbers, so that a host or guest is known by any of its addresses. */

/** Underlay addresses of host N. */
export const hostIp4 = (n: number): string => `10.99.0.${n}`;
export const hostIp6 = (n: number): string => `fd99::${n}`;

/** Guest N. The decimal number is used as hexadecimal digits, so `20.0.0.101` and `fd20::101` are one guest's. */
export const guestIp4 = (n: number): string => `20.0.0.${n}`;
export const guestIp6 = (n: number): string => `fd20::${n}`;

/** Routed, every host has a subnet of its own, of which it is address 254 and its guests are the others. */
export const subnetIp4 = (host: number, n: number): string => `10.20.${host}.${n}`;
export const subnetIp6 = (host: number, n: number): string => `fd20:0:0:${host}::${n === 0 ? '' : n}`;

/** Of host N's VXLAN device, where records name the host by it. */
export const hostMac = (n: number): string => `02:f0:00:00:00:${String(n).padStart(2, '0')}`;

/** `02:42:` and the four bytes of the IPv4 address, as Docker does it. */
export function macOf(ip4: string): string {
  const bytes = ip4.split('.').map((byte) => Number(byte).toString(16).padStart(2, '0'));
  return ['02', '42', ...bytes].join(':');
}

/** The lab's address plan. The numbers are readable, so that every address tells its host or guest. */

/** Underlay addresses of host N. */
export const hostIp4 = (n: number): string => `10.99.0.${n}`;
export const hostIp6 = (n: number): string => `fd99::${n}`;

/** Addresses of guest N. The IPv6 address has the same digits: `20.0.0.101` and `fd20::101` belong to one guest. */
export const guestIp4 = (n: number): string => `20.0.0.${n}`;
export const guestIp6 = (n: number): string => `fd20::${n}`;

/** Addresses in the subnet of a host that routes: the host is 254, its guests have the other numbers. */
export const subnetIp4 = (host: number, n: number): string => `10.20.${host}.${n}`;
export const subnetIp6 = (host: number, n: number): string => `fd20:0:0:${host}::${n === 0 ? '' : n}`;

/** MAC of host N's VXLAN device, which the leases of routing hosts name. */
export const hostMac = (n: number): string => `02:f0:00:00:00:${String(n).padStart(2, '0')}`;

/** `02:42:` and the four bytes of the IPv4 address, as Docker does it. */
export function macOf(ip4: string): string {
  const bytes = ip4.split('.').map((byte) => Number(byte).toString(16).padStart(2, '0'));
  return ['02', '42', ...bytes].join(':');
}

/** Numbers in the output. */

/** `12,345`, and from ten million on `12.3 M`. */
export function count(value: number): string {
  if (value < 10_000_000) return Math.round(value).toLocaleString('en-US');
  const [unit, letter] = value < 1e10 ? [1e6, 'M'] : [1e9, 'G'];
  return `${(value / unit).toLocaleString('en-US', { maximumFractionDigits: 1 })} ${letter}`;
}

/** A rate per second: `0`, `0.3`, `12`, `1,234`. */
export function rate(value: number): string {
  if (value >= 9.95) return count(value);
  return value < 0.05 ? (value > 0 ? '<0.1' : '0') : value.toFixed(1).replace(/\.0$/, '');
}

/** `12 MB`, in units of 2^20 bytes. */
export const megabytes = (bytes: number): string => `${Math.round(bytes / 1024 ** 2)} MB`;

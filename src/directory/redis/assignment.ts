/** A value of the hash `{VNI}:prefixes`: to whom a prefix is assigned. Other fields of the hash are no prefixes. */
export type Assignment =
  /** `since`, `seen`: first acquired and last asserted, ms on the server's clock. */
  | { host: string; since: number; seen: number }
  /** By hand. A host whose id is the text acquires it. */
  | { reserved: string };

export function parseAssignment(value: string): Assignment | undefined {
  const [, host, since = 0, seen = since] = /^host (\S+)(?: (\d+))?(?: (\d+))?$/.exec(value) ?? [];
  if (host !== undefined) return { host, since: Number(since), seen: Number(seen) };
  return value === 'reserved' || value.startsWith('reserved ')
    ? { reserved: value.slice('reserved '.length) }
    : undefined;
}

export const reservedValue = (text: string): string => `reserved ${text}`.trim();

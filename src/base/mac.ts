import type { Mac } from './vocabulary.ts';

/** Whether a MAC is a group address, so that its FDB entry is not an endpoint's. */
export const isGroup = (mac: Mac): boolean => (parseInt(mac.slice(0, 2), 16) & 1) === 1;

/** The default FDB entry, used for every MAC without an entry: with it the kernel raises no L2 misses. */
export const ALL_ZEROS = '00:00:00:00:00:00';

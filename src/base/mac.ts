import type { Mac } from './vocabulary.ts';

/** Whether an FDB entry is for a group of receivers: no endpoint's. */
export const isGroup = (mac: Mac): boolean => (parseInt(mac.slice(0, 2), 16) & 1) === 1;

/** The default entry, which every MAC without one of its own goes by: with it there are no L2 misses. */
export const ALL_ZEROS = '00:00:00:00:00:00';

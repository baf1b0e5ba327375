/**
 * Whose an entry is. The kernel keeps NDA_PROTOCOL on neighbours only, and even there it outlives a foreign replace,
 * so ours takes all the marks together; everything else is somebody's who knows better, or the kernel's own.
 */
import {
  NTF_EXT_LEARNED,
  NTF_ROUTER,
  NTF_SELF,
  NTF_STICKY,
  NUD_FAILED,
  NUD_INCOMPLETE,
  NUD_NOARP,
  NUD_PERMANENT,
  NUD_PROBE,
  NUD_REACHABLE,
  NUD_STALE,
} from '../kernel/netlink.ts';
import type { FdbEntry, Neighbour } from '../base/vocabulary.ts';

/** NDA_PROTOCOL of our neighbours, as `ip neigh … proto 77` shows it. */
export const PROTOCOL = 77;

/** How our rows are marked: never aged by the kernel, exempt from gc_thresh, recognisable after a restart. */
export const OUR_NEIGHBOUR = { state: NUD_NOARP, flags: NTF_EXT_LEARNED, protocol: PROTOCOL };
export const OUR_FDB = { state: NUD_REACHABLE, flags: NTF_SELF | NTF_EXT_LEARNED };
/** NTF_ROUTER belongs on the FDB entry and only counts at creation: the VXLAN proxy answers with it (vxlan_na_create). */
export const OUR_ROUTER_FDB = { state: NUD_REACHABLE, flags: NTF_SELF | NTF_EXT_LEARNED | NTF_ROUTER };

export const isOurNeighbour = (row: Neighbour): boolean =>
  row.protocol === PROTOCOL && (row.state & NUD_NOARP) !== 0 && (row.flags & NTF_EXT_LEARNED) !== 0;

/**
 * Ours, put on probation to see whether it is used (reconcile/aging.ts). From STALE the kernel moves it on as it pleases; our
 * protocol with `extern_learn` is in no other such row.
 */
export const isOnProbation = (row: Neighbour): boolean =>
  row.protocol === PROTOCOL &&
  (row.flags & NTF_EXT_LEARNED) !== 0 &&
  (row.state & (NUD_NOARP | NUD_PERMANENT)) === 0;

/**
 * Whether a row has the marks of our FDB entries. Other control planes use the same: whether it is ours takes evidence
 * besides, see evidence.ts.
 */
export const isOurFdbEntry = (row: FdbEntry): boolean =>
  (row.flags & NTF_EXT_LEARNED) !== 0 && !isPermanent(row);

export const isPermanent = (row: { state: number }): boolean => (row.state & NUD_PERMANENT) !== 0;

/**
 * A row of a bridge that it has not learned: an operator's, `static` (NOARP), `permanent` or `sticky`, or another control
 * plane's (`extern_learn`); net/bridge/br_fdb.c, `fdb_to_nud`.
 */
export const isMade = ({ state, flags }: FdbEntry): boolean =>
  (state & (NUD_PERMANENT | NUD_NOARP)) !== 0 || (flags & (NTF_EXT_LEARNED | NTF_STICKY)) !== 0;

/**
 * The kernel's own row in a state that neither answers nor asks: a blackhole until somebody writes it. One with our
 * protocol was ours before somebody changed its state.
 */
export const isKernelLeftover = (row: Neighbour): boolean =>
  (row.protocol === 0 || row.protocol === PROTOCOL) &&
  (row.state & NUD_PERMANENT) === 0 &&
  (row.state & (NUD_STALE | NUD_PROBE | NUD_FAILED | NUD_INCOMPLETE)) !== 0;

/** On a device with `learning` whatever is not permanent counts as learned from traffic, which any guest can forge. */
export const isLearned = (row: FdbEntry, learning: boolean): boolean => learning && !isPermanent(row);

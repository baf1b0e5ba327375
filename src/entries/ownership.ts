/**
 * Tells whose an entry is. The kernel keeps NDA_PROTOCOL on neighbours only, and it survives a replace by another owner,
 * so a neighbour is ours only with all marks together. Every other row is foreign, or the kernel's own.
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

/** Marks of missd's rows: never aged by the kernel, exempt from gc_thresh, recognisable after a restart. */
export const OUR_NEIGHBOUR = { state: NUD_NOARP, flags: NTF_EXT_LEARNED, protocol: PROTOCOL };
export const OUR_FDB = { state: NUD_REACHABLE, flags: NTF_SELF | NTF_EXT_LEARNED };
/** NTF_ROUTER belongs on the FDB entry and only counts at creation: the VXLAN proxy answers with it (vxlan_na_create). */
export const OUR_ROUTER_FDB = { state: NUD_REACHABLE, flags: NTF_SELF | NTF_EXT_LEARNED | NTF_ROUTER };

export const isOurNeighbour = (row: Neighbour): boolean =>
  row.protocol === PROTOCOL && (row.state & NUD_NOARP) !== 0 && (row.flags & NTF_EXT_LEARNED) !== 0;

/**
 * Our neighbour, rewritten as STALE to see whether it is used (reconcile/aging.ts). The kernel changes the state from
 * STALE as it likes; no other row in such a state has our protocol and `extern_learn`.
 */
export const isStaleProbe = (row: Neighbour): boolean =>
  row.protocol === PROTOCOL &&
  (row.flags & NTF_EXT_LEARNED) !== 0 &&
  (row.state & (NUD_NOARP | NUD_PERMANENT)) === 0;

/**
 * Whether a row has the marks of our FDB entries. Other control planes use the same marks, so ownership needs evidence as
 * well (evidence.ts).
 */
export const isOurFdbEntry = (row: FdbEntry): boolean =>
  (row.flags & NTF_EXT_LEARNED) !== 0 && !isPermanent(row);

export const isPermanent = (row: { state: number }): boolean => (row.state & NUD_PERMANENT) !== 0;

/**
 * A bridge row that was configured and not learned: by an operator (`static`, which is NOARP, `permanent` or `sticky`) or
 * by another control plane (`extern_learn`); net/bridge/br_fdb.c, `fdb_to_nud`.
 */
export const isConfigured = ({ state, flags }: FdbEntry): boolean =>
  (state & (NUD_PERMANENT | NUD_NOARP)) !== 0 || (flags & (NTF_EXT_LEARNED | NTF_STICKY)) !== 0;

/**
 * A row of the kernel in a state that neither answers nor asks: a blackhole until the row is written. A row with our
 * protocol was ours before its state was changed.
 */
export const isKernelLeftover = (row: Neighbour): boolean =>
  (row.protocol === 0 || row.protocol === PROTOCOL) &&
  (row.state & NUD_PERMANENT) === 0 &&
  (row.state & (NUD_STALE | NUD_PROBE | NUD_FAILED | NUD_INCOMPLETE)) !== 0;

/** With `learning`, every row that is not permanent counts as learned from traffic, which any guest can forge. */
export const isLearned = (row: FdbEntry, learning: boolean): boolean => learning && !isPermanent(row);

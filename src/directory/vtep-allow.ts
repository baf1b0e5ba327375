/** `--vtep-allow`: which VTEPs records may name. */
import { UsageError } from '../base/errors.ts';
import type { Ip } from '../base/vocabulary.ts';
import { PrefixTable } from '../base/prefix-table.ts';
import { hasHostBits, parsePrefixOrAddress } from '../base/prefix.ts';

/** A fabric has some thousand VTEPs; more distinct ones than this come from a hostile directory. */
const MOST_REMEMBERED = 4096;

/**
 * The predicate for `RecordContext.vtepAllow`; without prefixes every VTEP may be named.
 * @throws UsageError naming the text that is no prefix
 */
export function vtepAllowance(cidrs: readonly string[]): (vtep: Ip) => boolean {
  if (cidrs.length === 0) return () => true;
  const allowed = new PrefixTable<true>();
  for (const cidr of cidrs) {
    const prefix = parsePrefixOrAddress(cidr);
    if (prefix === undefined)
      throw new UsageError(`--vtep-allow: "${cidr}" is not a prefix such as 10.99.0.0/24`);
    if (hasHostBits(prefix)) throw new UsageError(`--vtep-allow: "${cidr}" has bits set behind its prefix`);
    allowed.set(prefix, true);
  }
  const remembered = new Map<Ip, boolean>();
  return (vtep) => {
    const known = remembered.get(vtep);
    if (known !== undefined) return known;
    const verdict = allowed.longest(vtep) === true;
    if (remembered.size >= MOST_REMEMBERED) remembered.clear();
    remembered.set(vtep, verdict);
    return verdict;
  };
}

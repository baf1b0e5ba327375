/** Longest-prefix match over IPv4 and IPv6, one binary trie per family. Filled once and then only asked. */
import type { Ip } from './vocabulary.ts';
import type { Family } from './address.ts';
import { addressGroups, familyOf, type Prefix } from './prefix.ts';

interface Node<V> {
  zero?: Node<V>;
  one?: Node<V>;
  value?: V;
}

export class PrefixTable<V> {
  readonly #roots: Record<Family, Node<V>> = { 4: {}, 6: {} };

  set(prefix: Prefix, value: V): void {
    let node = this.#roots[prefix.family];
    for (let depth = 0; depth < prefix.length; depth++) {
      node = bit(prefix.groups, depth) ? (node.one ??= {}) : (node.zero ??= {});
    }
    node.value = value;
  }

  /** The value of the longest prefix that covers the address and is accepted. */
  longest(ip: Ip, accept?: (value: V) => boolean): V | undefined {
    const groups = addressGroups(ip);
    if (groups === undefined) return undefined;
    let best: V | undefined;
    let node: Node<V> | undefined = this.#roots[familyOf(groups)];
    for (let depth = 0; node !== undefined; depth++) {
      if (node.value !== undefined && (accept === undefined || accept(node.value))) best = node.value;
      if (depth === groups.length * 16) break;
      node = bit(groups, depth) ? node.one : node.zero;
    }
    return best;
  }
}

function bit(groups: number[], depth: number): boolean {
  return (((groups[depth >> 4] ?? 0) >> (15 - (depth & 15))) & 1) === 1;
}

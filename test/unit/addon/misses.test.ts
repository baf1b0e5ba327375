import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addon } from '../../../src/kernel/addon.ts';
import { NUD_INCOMPLETE, NUD_PROBE, NUD_STALE } from '../../../src/kernel/netlink.ts';
import type { Miss } from '../../../src/base/vocabulary.ts';
import * as captured from './captured.ts';

const table: [keyof typeof captured.misses, Miss][] = [
  ['bridgedIpv4', { layer: 'l3', ifindex: 5, address: '20.0.0.7', state: NUD_STALE, count: 1 }],
  ['bridgedIpv6', { layer: 'l3', ifindex: 5, address: '2001:db8::7', state: NUD_STALE, count: 1 }],
  ['layer2', { layer: 'l2', ifindex: 5, address: '02:00:00:00:00:38', state: NUD_STALE, count: 1 }],
  ['routedIpv4', { layer: 'l3', ifindex: 8, address: '30.0.0.2', state: NUD_INCOMPLETE, count: 1 }],
  ['routedIpv6', { layer: 'l3', ifindex: 8, address: '2001:db8:1::2', state: NUD_INCOMPLETE, count: 1 }],
  ['probeIpv4', { layer: 'l3', ifindex: 8, address: '30.0.0.3', state: NUD_PROBE, count: 1 }],
  ['probeIpv6', { layer: 'l3', ifindex: 8, address: '2001:db8:1::3', state: NUD_PROBE, count: 1 }],
];

/** Cuts a message and makes its header own up to it, so that only the attributes are short. */
function cut(message: Buffer, length: number): Buffer {
  const shorter = Buffer.from(message.subarray(0, length));
  shorter.writeUInt32LE(length, 0);
  return shorter;
}

/** nlmsghdr and ndmsg. */
const HEADERS = 28;

describe('decodeMisses', () => {
  it.each(table)('reads %s', (name, miss) => {
    expect(addon.decodeMisses(captured.misses[name])).toEqual({ misses: [miss], malformed: 0 });
  });

  it.each(table)('counts %s as malformed, truncated at any length', (name) => {
    const message = captured.misses[name];
    for (let length = 1; length < message.length; length++) {
      expect(addon.decodeMisses(message.subarray(0, length))).toEqual({ misses: [], malformed: 1 });
    }
  });

  it.each(table)('decodes a shortened %s to the same miss or to nothing', (name, miss) => {
    const message = captured.misses[name];
    for (let length = 16; length < message.length; length++) {
      const { misses, malformed } = addon.decodeMisses(cut(message, length));
      expect(misses.length + malformed).toBe(1);
      // The address stands in the first attribute; before its end there is nothing to go by.
      const key = HEADERS + message.readUInt16LE(HEADERS);
      if (length < key) expect(malformed).toBe(1);
      for (const got of misses) expect(got).toEqual(miss);
    }
  });

  it('folds equal misses and keeps the order of the others', () => {
    const { bridgedIpv4, layer2 } = captured.misses;
    const { misses } = addon.decodeMisses(Buffer.concat([bridgedIpv4, layer2, bridgedIpv4, bridgedIpv4]));
    expect(misses.map(({ address, count }) => [address, count])).toEqual([
      ['20.0.0.7', 3],
      ['02:00:00:00:00:38', 1],
    ]);
  });

  it('keeps the same address on two devices apart', () => {
    const other = Buffer.from(captured.misses.bridgedIpv4);
    other.writeInt32LE(99, 20);
    const { misses } = addon.decodeMisses(Buffer.concat([captured.misses.bridgedIpv4, other]));
    expect(misses.map(({ ifindex, count }) => [ifindex, count])).toEqual([
      [5, 1],
      [99, 1],
    ]);
  });

  it('refuses an address of the wrong length, and a message without any', () => {
    const ipv6Header = Buffer.from(captured.misses.bridgedIpv4);
    ipv6Header.writeUInt8(10, 16);
    expect(addon.decodeMisses(ipv6Header)).toEqual({ misses: [], malformed: 1 });
    expect(addon.decodeMisses(cut(captured.misses.bridgedIpv4, HEADERS))).toEqual({
      misses: [],
      malformed: 1,
    });
  });

  it('decodes a question for 0.0.0.0 or ::, which the kernel leaves out, as an L3 miss', () => {
    const unspecified = Buffer.from(captured.misses.layer2);
    // Another attribute in the place of NDA_LLADDR, as if there were none.
    unspecified.writeUInt16LE(0x3fff, 30);
    const { misses, malformed } = addon.decodeMisses(unspecified);
    expect(malformed).toBe(0);
    expect(misses).toMatchObject([{ layer: 'l3', address: '0.0.0.0', count: 1 }]);
  });

  it('ignores other messages', () => {
    expect(addon.decodeMisses(captured.rows.neighbour)).toEqual({ misses: [], malformed: 0 });
    expect(addon.decodeMisses(Buffer.alloc(0))).toEqual({ misses: [], malformed: 0 });
  });

  it('survives any bytes, also after a well-formed message', () => {
    const junk = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
    const changed = fc
      .tuple(fc.constantFrom(...Object.values(captured.misses)), fc.nat(87), fc.nat(255))
      .map(([message, at, byte]) => {
        const copy = Buffer.from(message);
        copy[at % copy.length] = byte;
        return copy;
      });
    fc.assert(
      fc.property(fc.array(fc.oneof(junk, changed), { maxLength: 4 }), (parts) => {
        const datagram = Buffer.concat(parts);
        for (const decode of [
          addon.decodeMisses,
          addon.decodeLinks,
          addon.decodeRows,
          addon.decodeAddresses,
        ]) {
          expect(decode(datagram).malformed).toBeGreaterThanOrEqual(0);
        }
        expect(addon.decodeAnswers(datagram)).toBeInstanceOf(Array);
      }),
      { numRuns: 2000 },
    );
  });
});

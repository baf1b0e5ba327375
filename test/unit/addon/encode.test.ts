import { describe, expect, it } from 'vitest';
import { addon } from '../../../src/kernel/addon.ts';
import type { EntryWrite } from '../../../src/kernel/kernel.ts';
import { NTF_EXT_LEARNED, NTF_SELF, NUD_NOARP, NUD_REACHABLE } from '../../../src/kernel/netlink.ts';

const fdb: EntryWrite = {
  table: 'fdb',
  op: 'create',
  ifindex: 5,
  state: NUD_REACHABLE,
  flags: NTF_SELF | NTF_EXT_LEARNED,
  lladdr: '02:00:00:00:00:02',
  vtep: '10.99.0.2',
};
const neighbour: EntryWrite = {
  table: 'neighbour',
  op: 'create',
  ifindex: 5,
  state: NUD_NOARP,
  flags: NTF_EXT_LEARNED,
  ip: '20.0.0.2',
  lladdr: '02:00:00:00:00:02',
  protocol: 77,
};

const hex = (...writes: EntryWrite[]): string => addon.encodeWrites(writes).toString('hex');

/** nlmsg_flags: NLM_F_REQUEST 1, NLM_F_ACK 4, REPLACE 0x100, EXCL 0x200, CREATE 0x400, APPEND 0x800. */
const flagsOf = (write: EntryWrite): number => addon.encodeWrites([write, write]).readUInt16LE(6);

describe('encodeWrites', () => {
  it('names the outgoing interface of a VTEP, in an entry and in its removal', () => {
    const linkLocal: EntryWrite = { ...fdb, vtep: 'fe80::2' };
    // NDA_IFINDEX, 8 bytes.
    const via = '0800080009000000';
    expect(hex({ ...linkLocal, via: 9 })).toContain(via);
    expect(hex({ ...linkLocal, via: 9, op: 'delete' })).toContain(via);
    expect(hex(linkLocal)).not.toContain('08000800');
  });

  it('encodes port 0 for the remote of an FDB entry, and deletes such an entry', () => {
    // NDA_PORT, 6 bytes and padding.
    const port = '0600060000000000';
    expect(hex({ ...fdb, portless: true })).toContain(port);
    expect(hex({ ...fdb, portless: true, op: 'delete' })).toContain(port);
    expect(hex(fdb)).not.toContain('06000600');
  });

  it('writes an FDB entry', () => {
    expect(hex(fdb)).toBe(
      '300000001c0005060100000000000000' + // nlmsghdr: RTM_NEWNEIGH, REQUEST | ACK | CREATE | EXCL
        '070000000500000002001200' + // ndmsg: AF_BRIDGE, ifindex 5, REACHABLE, SELF | EXT_LEARNED
        '080001000a630002' + // NDA_DST
        '0a000200020000000002' + // NDA_LLADDR
        '0000',
    );
  });

  it('writes a neighbour with its protocol', () => {
    expect(hex(neighbour)).toBe(
      '380000001c0005060100000000000000' +
        '020000000500000040001000' +
        '0800010014000002' +
        '0a0002000200000000020000' +
        '05000c004d000000',
    );
  });

  it('writes an IPv6 neighbour', () => {
    expect(hex({ ...neighbour, ip: '2001:db8::2' }).slice(32, 96)).toBe(
      '0a0000000500000040001000' + '1400010020010db8000000000000000000000002',
    );
  });

  it('deletes a neighbour by its address alone, an FDB entry by MAC and remote', () => {
    expect(hex({ ...neighbour, op: 'delete' })).toBe(
      '240000001d0005000100000000000000' + '020000000500000040001000' + '0800010014000002',
    );
    expect(hex({ ...fdb, op: 'delete' }).slice(56)).toBe('080001000a630002' + '0a0002000200000000020000');
  });

  it.each([
    ['create', 0x601],
    ['replace', 0x501],
    ['append', 0xc01],
    ['delete', 0x001],
    ['probe', 0x201],
  ] as const)('encodes %s with the flags that the kernel expects', (op, flags) => {
    expect(flagsOf({ ...fdb, op })).toBe(flags);
  });

  it('asks for an acknowledgement of the last message only, and numbers them', () => {
    const bytes = addon.encodeWrites([fdb, neighbour]);
    const second = bytes.readUInt32LE(0);
    expect([bytes.readUInt16LE(6) & 4, bytes.readUInt32LE(8)]).toEqual([0, 1]);
    expect([bytes.readUInt16LE(second + 6) & 4, bytes.readUInt32LE(second + 8)]).toEqual([4, 2]);
    expect(addon.encodeWrites([])).toHaveLength(0);
  });

  it.each([
    { ...neighbour, ip: '20.0.0' },
    { ...neighbour, lladdr: '02:00:00:00:00' },
    { ...fdb, vtep: '10.99.0.256' },
    { ...fdb, op: 'upsert' as 'create' },
  ])('throws at an invalid address or operation', (write) => {
    expect(() => addon.encodeWrites([write])).toThrow(TypeError);
  });
});

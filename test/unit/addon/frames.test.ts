import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addon } from '../../../src/kernel/addon.ts';
import type { Announcement } from '../../../src/kernel/kernel.ts';

const bytes = (...hex: string[]): Buffer => Buffer.from(hex.join(''), 'hex');

const ipv4: Announcement = { port: 6, ip: '20.0.0.2', lladdr: '02:00:00:00:00:02', router: false };
const ipv6: Announcement = { ...ipv4, ip: '2001:db8::2' };
const guest = { lladdr: '02:00:00:00:00:01', ip: '20.0.0.1' };
const guest6 = { ...guest, ip: '2001:db8::1' };

const frame = (announcement: Announcement): Buffer => {
  const built = addon.buildAnnouncement(announcement);
  if (built === undefined) throw new Error('nothing was built');
  return built;
};

/** RFC 1071 over the pseudo-header and the message as received: zero when the checksum in it is right. */
function icmpResidue(advertisement: Buffer): number {
  const message = advertisement.subarray(54);
  const header = Buffer.alloc(8);
  header.writeUInt32BE(message.length, 0);
  header.writeUInt32BE(58, 4);
  const all = Buffer.concat([advertisement.subarray(22, 54), header, message]);
  let sum = 0;
  for (let at = 0; at < all.length; at += 2) sum += all.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

describe('buildAnnouncement', () => {
  it('announces to all guests with a broadcast gratuitous ARP reply', () => {
    expect(frame(ipv4)).toEqual(
      bytes(
        'ffffffffffff',
        '020000000002',
        '0806',
        '0001080006040002',
        '02000000000214000002',
        '02000000000214000002',
      ),
    );
  });

  it('announces to one guest with an ARP reply to its question', () => {
    expect(frame({ ...ipv4, to: guest })).toEqual(
      bytes(
        '020000000001',
        '020000000002',
        '0806',
        '0001080006040002',
        '02000000000214000002',
        '02000000000114000001',
      ),
    );
  });

  it('announces to all guests with an unsolicited advertisement', () => {
    const built = frame(ipv6);
    expect(built.subarray(0, 54)).toEqual(
      bytes(
        '333300000001' + '020000000002' + '86dd',
        '60000000' + '0020' + '3a' + 'ff',
        '20010db8000000000000000000000002' + 'ff020000000000000000000000000001',
      ),
    );
    expect(built.readUInt16BE(54)).toBe(0x8800);
    expect(built.readUInt32BE(58)).toBe(0x20000000); // override
    expect(built.subarray(62)).toEqual(bytes('20010db8000000000000000000000002', '0201020000000002'));
    expect(icmpResidue(built)).toBe(0);
  });

  it('announces to one guest with a solicited advertisement', () => {
    const built = frame({ ...ipv6, to: guest6, router: true });
    expect(built.subarray(0, 6)).toEqual(bytes('020000000001'));
    expect(built.subarray(38, 54)).toEqual(bytes('20010db8000000000000000000000001'));
    expect(built.readUInt32BE(58)).toBe(0xe0000000); // router, solicited, override
    expect(icmpResidue(built)).toBe(0);
  });

  it('has a right checksum for any addresses', () => {
    const groups = fc.array(fc.nat(0xffff), { minLength: 7, maxLength: 7 });
    fc.assert(
      fc.property(groups, fc.nat(0xffff), (words, mac) => {
        const ip = `2001:${words.map((word) => word.toString(16)).join(':')}`;
        const lladdr = `02:00:00:00:${Buffer.from([mac >> 8]).toString('hex')}:${Buffer.from([mac & 255]).toString('hex')}`;
        expect(icmpResidue(frame({ ...ipv6, ip, lladdr }))).toBe(0);
      }),
    );
  });

  it.each([
    ['duplicate address detection, IPv4', { ...ipv4, to: { ...guest, ip: '0.0.0.0' } }],
    ['duplicate address detection, IPv6', { ...ipv6, to: { ...guest, ip: '::' } }],
    ['an asker of the other family', { ...ipv4, to: guest6 }],
    ['a group as the asker', { ...ipv4, to: { ...guest, lladdr: 'ff:ff:ff:ff:ff:ff' } }],
  ])('builds no answer to %s', (_, announcement) => {
    expect(addon.buildAnnouncement(announcement)).toBeUndefined();
  });
});

const request = bytes(
  'ffffffffffff' + '020000000001' + '0806' + '0001080006040001',
  '02000000000114000001' + '00000000000014000002',
);
const solicitation = bytes(
  '3333ff000002' + '020000000001' + '86dd' + '60000000' + '0020' + '3aff',
  '20010db8000000000000000000000001' + 'ff0200000000000000000001ff000002',
  '8700' + '0000' + '00000000' + '20010db8000000000000000000000002' + '0101020000000001',
);
/** Duplicate address detection has no source and so no option. */
const detection = bytes(
  '3333ff000002' + '020000000001' + '86dd' + '60000000' + '0018' + '3aff',
  '00000000000000000000000000000000' + 'ff0200000000000000000001ff000002',
  '8700' + '0000' + '00000000' + '20010db8000000000000000000000002',
);

const changed = (frame: Buffer, at: number, hex: string): Buffer => {
  const copy = Buffer.from(frame);
  copy.write(hex, at, 'hex');
  return copy;
};

describe('parseQuestion', () => {
  it('reads an ARP request', () => {
    expect(addon.parseQuestion(request)).toEqual({ target: '20.0.0.2', ...guest });
  });
  it('reads a neighbour solicitation', () => {
    expect(addon.parseQuestion(solicitation)).toEqual({ target: '2001:db8::2', ...guest6 });
  });
  it('reads duplicate address detection as a question without a sender address', () => {
    expect(addon.parseQuestion(detection)).toEqual({ target: '2001:db8::2', ...guest, ip: '::' });
    expect(addon.parseQuestion(changed(request, 28, '00000000'))).toEqual({
      target: '20.0.0.2',
      ...guest,
      ip: '0.0.0.0',
    });
  });

  it.each([
    ['an ARP reply', changed(request, 20, '0002')],
    ['an ARP request over something else', changed(request, 14, '0006')],
    ['a MAC length that lies', changed(request, 18, '08')],
    ['a group as the sender', changed(changed(request, 6, '030000000001'), 22, '030000000001')],
    ['a zero sender', changed(changed(request, 6, '000000000000'), 22, '000000000000')],
    ['a tagged frame', changed(request, 12, '8100')],
    ['an advertisement', changed(solicitation, 54, '88')],
    ['a multicast target', changed(solicitation, 62, 'ff02')],
  ])('does not parse %s', (_, frame) => {
    expect(addon.parseQuestion(frame)).toBeUndefined();
  });

  it.each([
    ['an ARP sender that is not who sent it', changed(request, 22, '020000000009'), '0.0.0.0'],
    ['a solicitation from beyond a router', changed(solicitation, 21, 'fe'), '::'],
    ['a payload length beyond the frame', changed(solicitation, 18, '0040'), '::'],
    ['a payload length short of the target', changed(solicitation, 18, '0010'), '::'],
    ['a multicast source', changed(solicitation, 22, 'ff02'), '::'],
    ['an option that is not who sent it', changed(solicitation, 80, '020000000009'), '::'],
    ['an IPv4 version', changed(solicitation, 14, '40'), '::'],
  ])('parses %s as a question without a sender address', (_, frame, nowhere) => {
    expect(addon.parseQuestion(frame)).toMatchObject({ lladdr: guest.lladdr, ip: nowhere });
  });

  it.each([
    ['ARP request', request],
    ['solicitation', solicitation],
    ['detection', detection],
  ])('never parses a truncated %s as a question to be answered', (_, frame) => {
    for (let length = 0; length < frame.length; length++) {
      // The option is not needed to raise a miss; a frame cut off in it says so in its length.
      const question = addon.parseQuestion(frame.subarray(0, length));
      if (length < detection.length) expect(question).toBeUndefined();
      else expect(question?.ip).toBe('::');
    }
  });

  it('ignores padding', () => {
    expect(addon.parseQuestion(Buffer.concat([request, Buffer.alloc(18)]))).toBeDefined();
    expect(addon.parseQuestion(Buffer.concat([detection, Buffer.alloc(4)]))).toBeDefined();
  });
});

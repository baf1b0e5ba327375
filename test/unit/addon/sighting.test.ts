/** Which guest a frame names. */
import { describe, expect, it } from 'vitest';
import { addon } from '../../../src/kernel/addon.ts';

const MAC = '020000000001';
const OTHER = '020000000009';
const VIRTUAL_ROUTER = '00005e00010a';
const SELF = '20010db8000000000000000000000001';
const NOWHERE = '0'.repeat(32);

interface Arp {
  operation?: string;
  from?: string;
  sender?: string;
  ip?: string;
  type?: string;
  lengths?: string;
}
const arp = ({ operation = '0001', from = MAC, sender = MAC, ip = '14000001', ...rest }: Arp = {}): Buffer =>
  Buffer.from(
    `ffffffffffff${from}${rest.type ?? '0806'}00010800${rest.lengths ?? '0604'}${operation}${sender}${ip}${'0'.repeat(12)}14000002`,
    'hex',
  );

interface Nd {
  type?: string;
  from?: string;
  source?: string;
  options?: string;
  hopLimit?: string;
  length?: number;
}
function nd({
  type = '87',
  from = MAC,
  source = SELF,
  options = '',
  hopLimit = 'ff',
  length,
}: Nd = {}): Buffer {
  const payload = (length ?? 24 + options.length / 2).toString(16).padStart(4, '0');
  const group = 'ff0200000000000000000001ff000002';
  const head = `3333ff000002${from}86dd60000000${payload}3a${hopLimit}${source}${group}`;
  return Buffer.from(`${head}${type}00000020000000${SELF.slice(0, -1)}2${options}`, 'hex');
}

const guest = { port: 0, mac: '02:00:00:00:00:01' };
const ip4 = { ...guest, ip: '20.0.0.1', kind: 'arp' };
const ip6 = { ...guest, ip: '2001:db8::1', kind: 'nd' };

describe('parseSighting', () => {
  it.each([
    ['an ARP request', arp(), ip4],
    ['an ARP reply', arp({ operation: '0002' }), ip4],
    ['any other ARP', arp({ operation: '0009' }), ip4],
    [
      'an ARP probe, which wants the address',
      arp({ ip: '00000000' }),
      { ...ip4, ip: '20.0.0.2', kind: 'dad' },
    ],
    ['a solicitation', nd({ options: `0101${MAC}` }), ip6],
    ['a unicast solicitation, which needs no option', nd(), ip6],
    ['an advertisement', nd({ type: '88', options: `0201${MAC}` }), ip6],
    ['DAD, which wants the address', nd({ source: NOWHERE }), { ...ip6, ip: '2001:db8::2', kind: 'dad' }],
    ['RARP', arp({ type: '8035', operation: '0003', ip: '00000000' }), { ...guest, kind: 'rarp' }],
    ['RARP, which has no address', arp({ type: '8035', operation: '0003' }), { ...guest, kind: 'rarp' }],
    [
      'a virtual router, from the router’s own MAC',
      arp({ sender: VIRTUAL_ROUTER }),
      { ...ip4, mac: '00:00:5e:00:01:0a' },
    ],
    [
      'a virtual router of IPv6',
      nd({ type: '88', options: '020100005e00020a' }),
      { ...ip6, mac: '00:00:5e:00:02:0a' },
    ],
  ])('learns from %s', (_, frame, sender) => {
    expect(addon.parseSighting(frame)).toEqual(sender);
  });

  it.each([
    ['an ARP sender that is not who sent it', arp({ sender: OTHER })],
    ['a virtual router’s frame for another MAC', arp({ from: VIRTUAL_ROUTER })],
    ['a MAC that begins as a virtual router’s', arp({ sender: '00005e000301' })],
    ['a group as the source', arp({ from: '030000000001', sender: '030000000001' })],
    ['an ARP reply from 0.0.0.0', arp({ operation: '0002', ip: '00000000' })],
    ['0.1.2.3', arp({ ip: '00010203' })],
    ['a loopback address', arp({ ip: '7f000001' })],
    ['an IPv4 group', arp({ ip: 'e0000001' })],
    ['the broadcast address', arp({ ip: 'ffffffff' })],
    ['MACs of another length', arp({ lengths: '0804' })],
    ['a RARP reply', arp({ type: '8035', operation: '0004' })],
    ['a forged RARP', arp({ type: '8035', operation: '0003', sender: OTHER })],
    ['a tagged frame', arp({ type: '8100' })],
    ['a link-local address', nd({ source: `fe80${'0'.repeat(27)}1` })],
    ['the end of fe80::/10', nd({ source: `febf${'0'.repeat(27)}1` })],
    ['an IPv6 group', nd({ source: `ff02${'0'.repeat(27)}1` })],
    ['::1', nd({ source: `${'0'.repeat(31)}1` })],
    ['an advertisement from ::', nd({ type: '88', source: NOWHERE })],
    ['an option that is not who sent it', nd({ options: `0101${OTHER}` })],
    ['such an option behind another', nd({ options: `0e01${MAC}0101${OTHER}` })],
    ['an option of no length', nd({ options: `0100${MAC}` })],
    ['an option beyond the end', nd({ options: `0102${MAC}` })],
    ['a frame that has crossed a router', nd({ hopLimit: 'fe' })],
    ['a length beyond the frame', nd({ length: 25 })],
    ['a length short of the target', nd({ length: 23 })],
    ['a router solicitation', nd({ type: '85' })],
  ])('learns nothing from %s', (_, frame) => {
    expect(addon.parseSighting(frame)).toBeUndefined();
  });

  it('learns nothing from a truncated frame', () => {
    for (const frame of [arp(), nd({ options: `0101${MAC}` }), arp({ type: '8035', operation: '0003' })])
      for (let length = 0; length < frame.length; length++)
        expect(addon.parseSighting(frame.subarray(0, length))).toBeUndefined();
  });
});

describe('buildProbe', () => {
  const probe = { port: 6, ip: '20.0.0.1', lladdr: '02:00:00:00:00:01', from: '02:00:00:00:00:07' };

  it('is an ARP probe to the guest alone', () => {
    const built = addon.buildProbe(probe);
    expect(built?.toString('hex')).toBe(
      `${MAC}0200000000070806000108000604000102000000000700000000${'0'.repeat(12)}14000001`,
    );
  });

  it('is a solicitation by the link-local address of the MAC that asks, never DAD', () => {
    const built = addon.buildProbe({ ...probe, ip: '2001:db8::1' }) ?? Buffer.alloc(0);
    expect(built.subarray(0, 6).toString('hex')).toBe(MAC);
    expect(built.subarray(22, 38).toString('hex')).toBe('fe80000000000000000000fffe000007');
    expect(addon.parseQuestion(built)).toEqual({
      target: '2001:db8::1',
      lladdr: probe.from,
      ip: 'fe80::ff:fe00:7',
    });
  });

  it('is not built for a multicast MAC', () => {
    expect(addon.buildProbe({ ...probe, lladdr: 'ff:ff:ff:ff:ff:ff' })).toBeUndefined();
  });
});

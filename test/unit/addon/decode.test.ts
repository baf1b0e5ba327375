import { describe, expect, it } from 'vitest';
import { addon } from '../../../src/kernel/addon.ts';
import { NTF_EXT_LEARNED, NTF_SELF, NUD_FAILED, NUD_REACHABLE } from '../../../src/kernel/netlink.ts';
import * as captured from './captured.ts';

describe('decodeLinks', () => {
  it('reads a VXLAN device that is a bridge port', () => {
    expect(addon.decodeLinks(captured.links.vxlanPort).values).toEqual([
      {
        ifindex: 5,
        name: 'vx',
        kind: 'vxlan',
        up: true,
        lladdr: '6a:c1:68:33:d3:62',
        mtu: 1450,
        master: 2,
        vxlan: {
          vni: 100,
          dstport: 4789,
          local: '10.99.0.1',
          link: 4,
          learning: false,
          proxy: true,
          l2miss: true,
          l3miss: true,
          external: false,
          ipv6: false,
        },
        bridgePort: { multicastRouter: 2, bcastFlood: true, mcastFlood: false, neighSuppress: false },
      },
    ]);
  });

  it('reads a bridge, a guest port whose peer is elsewhere, and a routed VXLAN device', () => {
    const [bridge] = addon.decodeLinks(captured.links.bridge).values;
    expect(bridge).toMatchObject({
      name: 'br0',
      kind: 'bridge',
      master: 0,
      bridge: { vlanFiltering: false },
    });
    expect(bridge).not.toHaveProperty('bridgePort');
    const [port] = addon.decodeLinks(captured.links.guestPort).values;
    expect(port).toMatchObject({ name: 'p0', kind: 'veth', master: 2, linkNetnsid: 0 });
    expect(port).toHaveProperty('bridgePort.bcastFlood', true);
    const [routed] = addon.decodeLinks(captured.links.vxlanRouted).values;
    expect(routed).toMatchObject({
      name: 'vr',
      vxlan: { vni: 101, dstport: 4790, proxy: false, l3miss: true },
    });
    expect(routed).not.toHaveProperty('bridgePort');
  });

  it.each(Object.entries(captured.links))('counts %s as malformed wherever it is cut off', (_, message) => {
    for (let length = 1; length < message.length; length++) {
      expect(addon.decodeLinks(message.subarray(0, length))).toEqual({ values: [], malformed: 1 });
    }
  });
});

describe('decodeAddresses', () => {
  it('reads every address of a dump', () => {
    expect(addon.decodeAddresses(captured.addresses)).toEqual({
      values: [
        { ifindex: 4, ip: '10.99.0.1', prefixLength: 24 },
        { ifindex: 4, ip: '1.2.3.4', prefixLength: 32 },
        { ifindex: 8, ip: '30.0.0.1', prefixLength: 24 },
      ],
      malformed: 0,
    });
  });
});

describe('decodeRows', () => {
  it('reads an FDB entry of a VXLAN device', () => {
    expect(addon.decodeRows(captured.rows.vxlanFdb).values).toEqual([
      {
        ifindex: 5,
        lladdr: '02:00:00:00:00:42',
        vtep: '10.99.0.2',
        state: NUD_REACHABLE,
        flags: NTF_SELF | NTF_EXT_LEARNED,
        master: 0,
        usedAgo: 0,
        updatedAgo: 0,
      },
    ]);
  });

  it('reads a FAILED neighbour, which has no link-layer address', () => {
    expect(addon.decodeRows(captured.rows.neighbour).values).toEqual([
      { ifindex: 8, ip: '30.0.0.3', state: NUD_FAILED, flags: 0, protocol: 0 },
    ]);
  });

  it('reads an FDB entry of a bridge, its times in milliseconds', () => {
    expect(addon.decodeRows(captured.rows.bridgeFdb).values).toEqual([
      {
        ifindex: 6,
        lladdr: '02:00:00:00:00:01',
        state: NUD_REACHABLE,
        flags: 0,
        master: 2,
        usedAgo: 0x23b9 * 10,
        updatedAgo: 0x038c * 10,
      },
    ]);
  });
});

describe('decodeAnswers', () => {
  it.each([
    ['an acknowledgement', captured.answers.acknowledged, 0, ''],
    ['a refusal with the kernel’s words', captured.answers.refused, 19, 'unknown ifindex'],
    ['a refusal that quotes the request', captured.answers.refusedQuoting, 19, 'unknown ifindex'],
  ])('reads %s', (_, message, errno, extack) => {
    expect(addon.decodeAnswers(message)).toEqual([{ seq: 1, errno, extack }]);
  });

  it('reads no text beyond the message', () => {
    for (let length = 36; length < captured.answers.refused.length; length++) {
      const message = Buffer.from(captured.answers.refused.subarray(0, length));
      message.writeUInt32LE(length, 0);
      expect(addon.decodeAnswers(message)).toEqual([{ seq: 1, errno: 19, extack: '' }]);
    }
  });
});

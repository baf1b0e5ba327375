import { describe, expect, it } from 'vitest';
import { cautions, isWanted, refusal } from '../../../src/links/servable.ts';
import type { Link, VxlanAttributes } from '../../../src/base/vocabulary.ts';
import { BRIDGE, GUEST, ROUTED, VXLAN, link, vxlanLink } from '../fake/world.ts';

const bridge = (vlanFiltering: boolean): Link =>
  link('br0', BRIDGE, { kind: 'bridge', bridge: { vlanFiltering } });
const among = (...links: Link[]): Map<number, Link> => new Map(links.map((one) => [one.ifindex, one]));

describe('a device', () => {
  it('is served if it raises misses or is named', () => {
    expect(isWanted(vxlanLink(VXLAN, true), [])).toBe(true);
    expect(isWanted(vxlanLink(VXLAN, true, { l2miss: false }), [])).toBe(true);
    expect(isWanted(vxlanLink(VXLAN, true, { l2miss: false, l3miss: false }), [])).toBe(false);
    expect(isWanted(vxlanLink(VXLAN, true, { l2miss: false, l3miss: false }), ['vx'])).toBe(true);
    expect(isWanted(vxlanLink(VXLAN, true), ['other'])).toBe(false);
    expect(isWanted(link('p0', GUEST), [])).toBe(false);
  });

  it('that raises no misses is served if its VNI has another strategy', () => {
    const silent = vxlanLink(VXLAN, false, { l2miss: false, l3miss: false });
    expect(isWanted(silent, [], () => 'routes')).toBe(true);
    expect(isWanted(silent, ['other'], () => 'routes')).toBe(false);
    expect(cautions(silent, 'routes')).toEqual([]);
  });

  it('in a bridge cannot have the strategy routes', () => {
    const served = vxlanLink(VXLAN, true);
    expect(refusal(served, among(served, bridge(false)), () => 'routes')).toMatch(/100=routes/);
    expect(refusal(served, among(served, bridge(false)), () => 'preload')).toBeUndefined();
    const routed = vxlanLink(ROUTED, false);
    expect(refusal(routed, among(routed), () => 'routes')).toBeUndefined();
  });

  it.each<[string, Link, Link[], RegExp | undefined]>([
    ['bridged', vxlanLink(VXLAN, true), [bridge(false)], undefined],
    ['routed', vxlanLink(ROUTED, false), [], undefined],
    [
      'bridged beside one of another bridge',
      vxlanLink(VXLAN, true),
      [bridge(false), vxlanLink(3, false)],
      undefined,
    ],
    ['no VXLAN device', link('p0', GUEST), [], /not a VXLAN device/],
    ['external', vxlanLink(VXLAN, true, { external: true }), [bridge(false)], /no VNI of its own/],
    ['of a bridge that filters VLANs', vxlanLink(VXLAN, true), [bridge(true)], /br0 filters VLANs/],
    [
      'the second of its bridge',
      vxlanLink(VXLAN, true),
      [bridge(false), vxlanLink(3, true, {}, 'vx0')],
      /vx0/,
    ],
    ['the first of its bridge', vxlanLink(VXLAN, true), [bridge(false), vxlanLink(9, true)], undefined],
  ])('that is %s is refused with the reason, or served', (_, served, others, reason) => {
    const said = refusal(served, among(served, ...others));
    if (reason === undefined) expect(said).toBeUndefined();
    else expect(said).toMatch(reason);
  });

  it.each<[string, Partial<VxlanAttributes>, RegExp]>([
    ['a default remote', { group: '10.99.0.9' }, /default remote \(10\.99\.0\.9\)/],
    ['no l3miss', { l3miss: false }, /no l3miss/],
    ['no l2miss', { l2miss: false }, /no l2miss/],
    ['no proxy', { proxy: false }, /without proxy/],
    ['learning', { learning: true }, /ip link set vx type vxlan nolearning/],
  ])('with %s is served with a caution', (_, attributes, words) => {
    expect(cautions(vxlanLink(VXLAN, true, attributes))).toEqual([expect.stringMatching(words)]);
  });

  it('whose bridge port blocks questions is served with a caution', () => {
    const served = vxlanLink(VXLAN, true);
    const port = { multicastRouter: 2, mcastFlood: true, bcastFlood: false, neighSuppress: true };
    expect(cautions({ ...served, bridgePort: port })).toEqual([
      expect.stringContaining('bridge link set dev vx bcast_flood on'),
      expect.stringContaining('bridge link set dev vx neigh_suppress off'),
    ]);
  });

  it('with the right settings has no caution', () => {
    expect(cautions(vxlanLink(VXLAN, true))).toEqual([]);
    expect(cautions(vxlanLink(ROUTED, false))).toEqual([]);
  });
});

import { describe, expect, it } from 'vitest';
import { familyOf } from '../../../src/model/vxlan-link.ts';
import type { Errno } from '../fake/tables.ts';
import { VXLAN, World, vxlanLink } from '../fake/world.ts';

describe('familyOf', () => {
  const asked = (code: Errno): { family: 4 | 6; world: World } => {
    const world = new World();
    world.kernel.refuse = ({ op }) => (op === 'probe' ? code : undefined);
    const link = vxlanLink(VXLAN, true);
    delete link.vxlan.local;
    return { family: familyOf(link, world.kernel), world };
  };

  it('is the family of the device’s addresses, without a request', () => {
    const { kernel } = new World();
    expect(familyOf(vxlanLink(VXLAN, true), kernel)).toBe(4);
    expect(familyOf(vxlanLink(VXLAN, true, { local: 'fd99::1', ipv6: true }), kernel)).toBe(6);
    expect(kernel.written).toEqual([]);
  });

  it('is IPv6 if the kernel accepts such a VTEP', () => {
    expect(asked('ENOENT').family).toBe(6);
    expect(asked('EEXIST').family).toBe(6);
  });

  it('is IPv4 if the kernel refuses it, or the device is gone', () => {
    expect(asked('EAFNOSUPPORT').family).toBe(4);
    expect(asked('ENODEV').family).toBe(4);
    expect(asked('EAFNOSUPPORT').world.kernel.fdbOf(VXLAN)).toEqual([]);
  });
});

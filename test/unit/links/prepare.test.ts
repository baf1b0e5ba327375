import { beforeEach, describe, expect, it } from 'vitest';
import { prepare, prepareTopology } from '../../../src/links/prepare.ts';
import { ROUTED, VXLAN, World, vxlanLink } from '../fake/world.ts';

let world: World;
const said = (): string => world.lines.join('\n');
const probes = (): (number | undefined)[] =>
  ([4, 6] as const).map((family) => world.kernel.getAppSolicit(ROUTED, family));

beforeEach(() => {
  world = new World();
});

describe('a device that the host routes through', () => {
  it('gets app_solicit in both families, with a log line', () => {
    prepare(world.device(vxlanLink(ROUTED, false)), [], world.log);
    expect(probes()).toEqual([3, 3]);
    expect(said()).toMatch(/set app_solicit 3 for IPv4.*\s.*set app_solicit 3 for IPv6/s);
  });

  it('keeps a value that an operator has set', () => {
    world.kernel.setAppSolicit(ROUTED, 6, 5);
    prepare(world.device(vxlanLink(ROUTED, false)), [], world.log);
    expect(probes()).toEqual([3, 5]);
  });

  it('without l3miss is left alone', () => {
    prepare(world.device(vxlanLink(ROUTED, false, { l3miss: false })), [], world.log);
    expect(probes()).toEqual([0, 0]);
  });

  it('while it is down is left alone: it may become a port of a bridge', () => {
    const device = world.device({ ...vxlanLink(ROUTED, false), up: false });
    prepare(device, [device], world.log);
    expect(probes()).toEqual([0, 0]);
    device.link = vxlanLink(ROUTED, false);
    prepareTopology(device, world.log);
    expect(probes()).toEqual([3, 3]);
  });

  it('and refuses the setting is served, with a log line', () => {
    world.kernel.setAppSolicit = () => {
      throw new Error('EPERM');
    };
    prepare(world.device(vxlanLink(ROUTED, false)), [], world.log);
    expect(said()).toContain('app_solicit could not be set for IPv4: EPERM');
  });
});

describe('a device in a bridge', () => {
  it('gets all multicast, and its neighbour table is left alone', () => {
    const link = vxlanLink(VXLAN, true);
    if (link.bridgePort !== undefined) link.bridgePort = { ...link.bridgePort, multicastRouter: 1 };
    prepare(world.device(link), [], world.log);
    expect(world.kernel.multicastRouters.get(VXLAN)).toBe(2);
    expect(world.kernel.appSolicit.size).toBe(0);
  });
});

it('two devices of one VNI are both served, with a log line', () => {
  const [one, other] = [world.device(), world.device(vxlanLink(ROUTED, false))];
  prepare(other, [one, other], world.log);
  expect(said()).toContain('vr@test has VNI 100 as vx@test has: both follow the same records');
});

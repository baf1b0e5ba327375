import { beforeEach, describe, expect, it } from 'vitest';
import { GROUPS } from '../../../src/model/replicated-groups.ts';
import { BroadcastLimits } from '../../../src/nft/broadcast-limits.ts';
import { broadcastRuleset, countersIn } from '../../../src/kernel/nft/broadcast-rules.ts';
import type { ServedDevice } from '../../../src/model/device.ts';
import { VXLAN, World, vxlanLink } from '../fake/world.ts';

let world: World;
let device: ServedDevice;
let limits: BroadcastLimits;
beforeEach(() => {
  world = new World();
  device = world.device();
  limits = new BroadcastLimits(200, world.log, world.deps.now);
});

const dropped = async (): Promise<number[]> => (await limits.dropped()).map(([, count]) => count);

describe('limits', () => {
  it('are written to the kernel once, and removed without replication and at the end', async () => {
    const { kernel } = world;
    await limits.keep([device], [device]);
    await limits.keep([device], [device]);
    expect(kernel.broadcastLimits).toBe(1);
    expect(kernel.broadcastLimit).toEqual({
      devices: [{ ifindex: VXLAN, proxy: true }],
      groups: GROUPS,
      rate: 200,
      portRate: 50,
    });
    await limits.keep([], [device]);
    expect(kernel.broadcastLimit).toBeUndefined();
    await limits.keep([device], [device]);
    await limits.stop();
    expect(kernel.broadcastLimit).toBeUndefined();
    await limits.keep([device], [device]);
    expect(kernel.broadcastLimit).toBeUndefined();
  });

  it('of an earlier daemon are removed once without replication', async () => {
    await limits.keep([], [device]);
    await limits.keep([], [device]);
    expect(world.kernel.broadcastLimits).toBe(1);
    expect(await dropped()).toEqual([]);
  });

  it('count dropped packets, also those of replaced rules', async () => {
    const { kernel } = world;
    await limits.keep([device], [device]);
    expect(await dropped()).toEqual([0]);
    kernel.broadcastDrops.set(VXLAN, 7);
    const other = world.device(vxlanLink(VXLAN + 1, true));
    await limits.keep([device, other], [device, other]);
    kernel.broadcastDrops.set(VXLAN, 2);
    expect(await dropped()).toEqual([9, 0]);
  });

  it('are written again when they were removed, with or without a scrape', async () => {
    const { kernel } = world;
    await limits.keep([device], [device]);
    kernel.broadcastDrops.set(VXLAN, 7);
    expect(await dropped()).toEqual([7]);
    kernel.broadcastLimit = undefined;
    expect(await dropped()).toEqual([7]);
    await limits.keep([device], [device]);
    expect(kernel.broadcastLimit).toBeDefined();
    kernel.broadcastLimit = undefined;
    world.time += 61_000;
    await limits.keep([device], [device]);
    expect(kernel.broadcastLimit).toBeDefined();
    expect(await dropped()).toEqual([7]);
  });

  it('that the kernel refuses are logged once, and shown', async () => {
    const { kernel } = world;
    kernel.broadcastLimitFailure = 'nft: not found';
    await limits.keep([], [device]);
    expect(world.lines).toEqual([]);
    await limits.keep([device], [device]);
    await limits.keep([device], [device]);
    expect(world.lines.filter((line) => line.includes('broadcasts are copied without a limit'))).toHaveLength(
      1,
    );
    expect(kernel.broadcastLimits).toBe(2);
    expect(limits.unlimited).toBe(1);
    expect(await dropped()).toEqual([0]);
    kernel.broadcastLimitFailure = undefined;
    world.time += 60_000;
    await limits.keep([device], [device]);
    expect(kernel.broadcastLimit).toBeDefined();
    expect(limits.unlimited).toBe(0);
  });

  it('do not exist for a routed device, on which only the host broadcasts', async () => {
    device.link = { ...device.link, master: 0 };
    delete device.link.bridgePort;
    await limits.keep([device], [device]);
    expect(world.kernel.broadcastLimit).toBeUndefined();
  });
});

describe('the table', () => {
  it('passes ARP only if the device answers it', () => {
    const limit = { groups: GROUPS, rate: 200, portRate: 50 };
    const both = broadcastRuleset({
      ...limit,
      devices: [
        { ifindex: 5, proxy: true },
        { ifindex: 6, proxy: false },
      ],
    });
    expect(both).toContain('oif { 5 } ether type arp accept');
    expect(both).toContain('oif { 5, 6 } ether daddr @groups');
    expect(broadcastRuleset({ ...limit, devices: [{ ifindex: 6, proxy: false }] })).not.toContain('arp');
  });

  it('is parsed from the output of nft', () => {
    const listed = `table bridge missd_broadcast {
	counter dropped5 {
		packets 12 bytes 600
	}
	counter dropped16 {
		packets 0 bytes 0
	}
}`;
    expect(countersIn(listed)).toEqual(
      new Map([
        [5, 12],
        [16, 0],
      ]),
    );
  });
});

import { beforeEach, describe, expect, it } from 'vitest';
import { dadRuleset } from '../../../src/kernel/nft/dad-rules.ts';
import { NftBusy } from '../../../src/kernel/nft/nft.ts';
import type { ServedDevice } from '../../../src/model/device.ts';
import { DadSilence } from '../../../src/nft/dad-silence.ts';
import { VXLAN, World, vxlanLink } from '../fake/world.ts';

let world: World;
let device: ServedDevice;
let silence: DadSilence;
beforeEach(() => {
  world = new World();
  device = world.device();
  silence = new DadSilence(world.log, world.now);
});

describe('the rules', () => {
  it('are set once, again when devices change, and removed with the last device', async () => {
    const { kernel } = world;
    await silence.keep([device]);
    await silence.keep([device]);
    expect([kernel.dadSilenced, kernel.dadTables]).toEqual([[VXLAN], 1]);
    const other = world.device(vxlanLink(VXLAN + 50, true, { vni: 101 }, 'vx2'));
    await Promise.all([silence.keep([device, other]), silence.keep([device, other])]);
    expect([kernel.dadSilenced, kernel.dadTables]).toEqual([[VXLAN, VXLAN + 50], 2]);
    await silence.keep([]);
    await silence.keep([]);
    expect([kernel.dadSilenced, kernel.dadTables]).toEqual([[], 3]);
  });

  it('that were removed are set again within a minute', async () => {
    const { kernel } = world;
    await silence.keep([device]);
    kernel.dadSilenced = [];
    world.time += 59_999;
    await silence.keep([device]);
    expect(kernel.dadSilenced).toEqual([]);
    world.time += 1;
    await silence.keep([device]);
    expect(kernel.dadSilenced).toEqual([VXLAN]);
    world.time += 60_000;
    await silence.keep([device]);
    expect(kernel.dadTables).toBe(2);
  });

  it('are tried again after a failure, with one log line', async () => {
    const { kernel } = world;
    kernel.dadFailure = new Error('spawn nft ENOENT');
    for (let minute = 0; minute < 3; minute++) {
      await silence.keep([device]);
      await silence.keep([device]);
      world.time += 60_000;
    }
    expect(kernel.dadTables).toBe(3);
    expect(world.lines.filter((line) => line.includes('ENOENT'))).toHaveLength(1);
    expect(silence.refused).toBe(1);
    kernel.dadFailure = undefined;
    await silence.keep([device]);
    expect(kernel.dadSilenced).toEqual([VXLAN]);
    expect(silence.refused).toBe(0);
  });

  it('are tried at once after nft was busy', async () => {
    world.kernel.dadFailure = new NftBusy('late');
    await silence.keep([device]);
    world.kernel.dadFailure = undefined;
    await silence.keep([device]);
    expect(world.kernel.dadSilenced).toEqual([VXLAN]);
    expect(world.lines).toEqual([]);
  });

  it('do not exist for routed devices and without devices', async () => {
    await silence.keep([world.device(vxlanLink(VXLAN, false))]);
    expect(world.kernel.dadSilenced).toEqual([]);
    expect(dadRuleset([])).toBeUndefined();
  });
});

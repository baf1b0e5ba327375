import type { VxlanLink } from '../../../src/model/vxlan-link.ts';
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KernelError } from '../../../src/kernel/kernel.ts';
import { prepare } from '../../../src/links/prepare.ts';
import { Settings } from '../../../src/model/device-settings.ts';
import type { ServedDevice } from '../../../src/model/device.ts';
import { settingsOf } from '../../../src/entries/journals.ts';
import { BRIDGE, ROUTED, VXLAN, World, vxlanLink } from '../fake/world.ts';

let folder: string;
let world: World;

/** A daemon begins to serve a device. */
function serve(link: VxlanLink): ServedDevice {
  const device = world.device(link);
  device.settings = settingsOf(folder, { namespace: 1, link });
  prepare(device, [], world.log);
  return device;
}

const routed = vxlanLink(ROUTED, false);
const port = (multicastRouter: number, master = BRIDGE): VxlanLink => {
  const link = vxlanLink(VXLAN, true);
  if (link.bridgePort === undefined) throw new Error('no port');
  return { ...link, master, bridgePort: { ...link.bridgePort, multicastRouter } };
};
const probes = (): (number | undefined)[] =>
  ([4, 6] as const).map((family) => world.kernel.getAppSolicit(ROUTED, family));

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'missd-settings-'));
  world = new World();
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('a setting that missd has changed', () => {
  it('is undone, also by another process, and its file is removed', () => {
    serve(routed);
    serve(port(0));
    expect(probes()).toEqual([3, 3]);
    const undone = [routed, port(2)].flatMap((link) =>
      settingsOf(folder, { namespace: 1, link }).undo(world.kernel, link),
    );
    expect(undone).toEqual(['app_solicit 0 for IPv4', 'app_solicit 0 for IPv6', 'mcast_router 0']);
    expect(probes()).toEqual([0, 0]);
    expect(world.kernel.multicastRouters.get(VXLAN)).toBe(0);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is known to the next daemon, which finds the changed value', () => {
    serve(routed);
    expect(serve(routed).settings.undo(world.kernel, routed)).toHaveLength(2);
    expect(probes()).toEqual([0, 0]);
  });

  it('stays if it was changed since, or the port belongs to another bridge', () => {
    const { settings } = serve(routed);
    world.kernel.setAppSolicit(ROUTED, 4, 5);
    settings.undo(world.kernel, routed);
    expect(probes()).toEqual([5, 0]);
    for (const link of [port(0), port(2, 77)]) {
      serve(port(1)).settings.undo(world.kernel, link);
      expect(world.kernel.multicastRouters.get(VXLAN)).toBe(2);
    }
  });

  it('is not undone if an operator had set the same value', () => {
    for (const family of [4, 6] as const) world.kernel.setAppSolicit(ROUTED, family, 3);
    serve(routed).settings.undo(world.kernel, routed);
    expect(probes()).toEqual([3, 3]);
    serve(port(2)).settings.undo(world.kernel, port(2));
    expect(world.kernel.multicastRouters.has(VXLAN)).toBe(false);
  });

  it('of an earlier device with the same name is ignored', () => {
    serve(routed);
    const again = { ...routed, lladdr: '02:00:00:00:99:99' };
    expect(settingsOf(folder, { namespace: 1, link: again }).undo(world.kernel, again)).toEqual([]);
    expect(probes()).toEqual([3, 3]);
  });

  it('is kept in memory if the file cannot be written, with a log line', () => {
    rmSync(folder, { recursive: true });
    const device = serve(routed);
    expect(world.lines.join('')).toContain('a flush after a restart cannot undo app_solicit: ENOENT');
    expect(device.settings.undo(world.kernel, routed)).toHaveLength(2);
  });
});

it('a file with other content is ignored', () => {
  const path = join(folder, 'x.settings');
  writeFileSync(path, 'missd settings 1 k\nmcast_router 2\n\0\napp_solicit 5\nmcast_router 2 1 \n');
  symlinkSync(path, `${path}.link`);
  world.device(routed);
  world.kernel.setAppSolicit(ROUTED, 4, 3);
  for (const one of [path, `${path}.link`])
    expect(new Settings({ path: one, key: 'k' }).undo(world.kernel, routed)).toEqual([]);
  expect(world.kernel.getAppSolicit(ROUTED, 4)).toBe(3);
});

it('a device that is gone has nothing to undo', () => {
  const { settings } = serve(routed);
  world.kernel.getAppSolicit = () => {
    throw new KernelError('get', 19, 'ENODEV');
  };
  expect(settings.undo(world.kernel, routed)).toEqual([]);
});

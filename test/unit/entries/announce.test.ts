import { beforeEach, describe, expect, it } from 'vitest';
import type { ServedDevice } from '../../../src/model/device.ts';
import type { Asker } from '../../../src/base/vocabulary.ts';
import { GUEST, ROUTED, VXLAN, World, ip, mac, vtep, vxlanLink } from '../fake/world.ts';

let world: World;
let device: ServedDevice;

const answer = { mac: mac(1), vtep: vtep(2), router: true, source: { kind: 'ip' as const, name: ip(1) } };
const asker = (address: string): Asker => ({ port: GUEST, lladdr: mac(9), ip: address });
const tell = (to: ServedDevice, ...askers: Asker[]): void => {
  world.deps.announcer.tell([{ device: to, ip: ip(1), answer, askers }]);
};

beforeEach(() => {
  world = new World();
  device = world.device();
});

describe('an announcement', () => {
  it('goes out of the asker’s port, to the asker alone', () => {
    tell(device, asker(ip(9)), { ...asker(ip(8)), port: 7 });
    expect(world.kernel.announced).toEqual([
      { port: GUEST, ip: ip(1), lladdr: mac(1), to: { lladdr: mac(9), ip: ip(9) }, router: true },
      { port: 7, ip: ip(1), lladdr: mac(1), to: { lladdr: mac(9), ip: ip(8) }, router: true },
    ]);
    expect(world.counters.announcements.sent).toBe(2);
  });

  it.each(['0.0.0.0', '::'])('never answers duplicate address detection, which asks from %s', (nowhere) => {
    tell(device, asker(nowhere));
    expect(world.kernel.announced).toEqual([]);
    expect(world.counters.announcements).toMatchObject({ dad: 1, sent: 0 });
  });

  it('is not made for an unknown asker', () => {
    tell(device);
    expect(world.kernel.announced).toEqual([]);
    expect(world.counters.announcements.unknown_asker).toBe(1);
  });

  it.each([
    ['without proxy', vxlanLink(VXLAN, true, { proxy: false })],
    ['in no bridge', vxlanLink(ROUTED, false, { proxy: true })],
  ])('is never sent on a device %s, not even to all guests', (_, link) => {
    const other = world.device(link);
    tell(other, asker(ip(9)));
    world.deps.announcer.tellAll(other, ip(1), answer);
    expect(world.kernel.announced).toEqual([]);
  });

  it('to all guests goes out of every guest port', () => {
    world.deps.announcer.tellAll(device, ip(1), answer);
    expect(world.kernel.announced).toEqual([{ port: GUEST, ip: ip(1), lladdr: mac(1), router: true }]);
  });

  it('that could not be sent counts as failed', () => {
    world.kernel.unsendable = 1;
    tell(device, asker(ip(9)), asker(ip(8)));
    expect(world.counters.announcements).toMatchObject({ sent: 1, failed: 1 });
  });
});

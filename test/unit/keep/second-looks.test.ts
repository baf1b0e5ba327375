import { expect, it } from 'vitest';
import { SecondLooks } from '../../../src/keep/second-looks.ts';
import { Lane } from '../../../src/resolve/lane.ts';
import type { Settled } from '../../../src/resolve/pipeline.ts';
import { UNKNOWN } from '../../../src/tables/shares.ts';
import { LOOKUP_RATE, ip, mac, turns, vtep } from '../fake/world.ts';
import { Keeping } from './keeping.ts';

const world = new Keeping();
const device = world.device();

/** An answer from an `ip:` record. */
function answered(n: number): Settled {
  const lane = new Lane(UNKNOWN, LOOKUP_RATE, world.time);
  const asked = { device, layer: 'l3', address: ip(n), askers: [], receivedAt: world.time } as const;
  const answer = {
    mac: mac(n),
    vtep: vtep(2),
    router: false,
    source: { kind: 'ip' as const, name: ip(n) },
  };
  return { question: { ...asked, askers: [], lane, waiting: false }, outcome: 'resolved', answer };
}

it('second looks are taken together, all of them and once', () => {
  const looks = new SecondLooks();
  expect(looks.note([])).toBe(false);
  expect(looks.note([answered(1), answered(2)])).toBe(true);
  expect(looks.note([answered(3)])).toBe(true);
  expect(looks.take().map(({ key }) => key)).toEqual([ip(1), ip(2), ip(3)]);
  expect(looks.take()).toEqual([]);
});

it('a second look is taken within a second however long guests wait', async () => {
  world.endpoint(device, ip(1), mac(1), vtep(2));
  world.directory.set(device.vni, 'mac', mac(1), vtep(3));
  const miss = { layer: 'l3', ifindex: device.ifindex, address: ip(9), state: 0, count: 1 } as const;
  world.deps.admission.admit([miss], () => device);
  world.keeper.settled([answered(1)]);
  await turns();
  expect(device.tables.fdb.get(mac(1))?.vtep).toBe(vtep(2));
  await world.pass(1);
  expect(device.tables.fdb.get(mac(1))?.vtep).toBe(vtep(3));
});

import { PortLane, type Settled } from '../../../src/model/question.ts';
import { beforeEach, expect, it } from 'vitest';
import { MacRecordChecks } from '../../../src/reconcile/mac-record-checks.ts';
import type { ServedDevice } from '../../../src/model/device.ts';
import { UNKNOWN } from '../../../src/model/port-quotas.ts';
import { LOOKUP_RATE, ip, mac, turns, vtep, watch } from '../fake/world.ts';
import { ReconcileWorld } from './reconciling.ts';

let world: ReconcileWorld;
let device: ServedDevice;

/** An answer from an `ip:` record. */
function answered(n: number): Settled {
  const lane = new PortLane(UNKNOWN, LOOKUP_RATE, world.time);
  const asked = { device, layer: 'l3', address: ip(n), askers: [], receivedAt: world.time } as const;
  const answer = {
    mac: mac(n),
    vtep: vtep(2),
    router: false,
    source: { kind: 'ip' as const, name: ip(n) },
  };
  return { question: { ...asked, askers: [], lane, waiting: false }, outcome: 'resolved', answer };
}

/** MACs whose records were read, read by read. */
const looks = (): string[][] =>
  world.directory.reads
    .map((keys) => keys.filter(({ kind }) => kind === 'mac').map(({ address }) => address))
    .filter((macs) => macs.length > 0);

beforeEach(() => {
  world = new ReconcileWorld();
  device = world.device();
});

it('mac: records are read after the answers that guests wait for, each once', async () => {
  const seconds = new MacRecordChecks(world.deps);
  watch(seconds.verdicts$());
  seconds.after([answered(1), answered(2)], false);
  await turns();
  expect(looks()).toEqual([]);
  seconds.after([answered(3)], true);
  seconds.after([], true);
  seconds.look();
  await turns();
  expect(looks()).toEqual([[mac(1), mac(2), mac(3)]]);
});

it('a stream of misses with a pause after each does not cause a read after each', async () => {
  const seconds = new MacRecordChecks(world.deps);
  watch(seconds.verdicts$());
  for (let n = 1; n <= 30; n++) {
    seconds.after([answered(n)], true);
    await turns();
    world.time += 1;
  }
  seconds.look();
  await turns();
  expect(looks().flat()).toEqual(Array.from({ length: 30 }, (_, n) => mac(n + 1)));
  expect(looks().length).toBeLessThanOrEqual(3);
});

it('mac: records are read within a second, however long guests wait', async () => {
  world.endpoint(device, ip(1), mac(1), vtep(2));
  world.directory.set(device.vni, 'mac', mac(1), vtep(3));
  const miss = { layer: 'l3', ifindex: device.ifindex, address: ip(9), state: 0, count: 1 } as const;
  world.deps.admission.admit([miss], () => device);
  world.reconciler.settled([answered(1)]);
  await turns();
  expect(device.tables.fdb.get(mac(1))?.vtep).toBe(vtep(2));
  await world.pass(1);
  expect(device.tables.fdb.get(mac(1))?.vtep).toBe(vtep(3));
});

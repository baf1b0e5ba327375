import type { MissBatch } from '../../../src/model/question.ts';
import fc from 'fast-check';
import { Subject } from 'rxjs';
import { expect, it } from 'vitest';
import { forgetAbsence } from '../../../src/reconcile/changes.ts';
import { resolveMisses } from '../../../src/resolver/pipeline.ts';
import type { Miss } from '../../../src/base/vocabulary.ts';
import { HERE, VNI, VXLAN, World, ip, mac, turns, vtep, vxlanLink, watch } from '../fake/world.ts';

/** Few addresses, so that they meet: some with a record, some without, one of this host, one malformed. */
const address = fc.integer({ min: 1, max: 6 });
const event = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('miss' as const),
      layer: fc.constantFrom('l2' as const, 'l3' as const),
      addresses: fc.array(address, { minLength: 1, maxLength: 5 }),
      ifindex: fc.constantFrom(VXLAN, 9, 77),
      count: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('answer' as const) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('change' as const), n: address }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constantFrom('gap', 'later', 'refuse', 'accept', 'gone') }) },
);

/** misses = resolutions + ignored + in flight, the contract says; at every moment, whatever happens in which order. */
it('balances the books after every event', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 40 }), async (events) => {
      const world = new World();
      world.device();
      const second = world.device(vxlanLink(9, true, {}, 'second'));
      const batches$ = new Subject<MissBatch>();
      const working = watch(resolveMisses(batches$, world.deps), () => {
        expect(world.unaccounted()).toBe(0);
      });
      world.directory.set(VNI, 'ip', ip(1), `${mac(1)} ${vtep(2)}`);
      world.directory.set(VNI, 'mac', mac(1), vtep(2));
      world.directory.set(VNI, 'ip', ip(2), `${mac(2)} ${HERE}`);
      world.directory.set(VNI, 'ip', ip(3), 'malformed');
      world.directory.hold();
      for (const one of events) {
        if ('addresses' in one) {
          const { layer, ifindex, count } = one;
          const misses = one.addresses.map<Miss>((n) => ({
            layer,
            ifindex,
            address: layer === 'l3' ? ip(n) : mac(n),
            state: 4,
            count,
          }));
          batches$.next({ misses, deviceOf: world.deviceOf });
        } else if ('n' in one) {
          if (world.directory.records.has(`${VNI} ip ${ip(one.n)}`))
            world.directory.delete(VNI, 'ip', ip(one.n));
          else world.directory.set(VNI, 'ip', ip(one.n), `${mac(one.n)} ${vtep(3)}`);
          forgetAbsence(
            { type: 'records', keys: [{ vni: VNI, kind: 'ip', address: ip(one.n) }] },
            world.devices,
          );
        } else if (one.type === 'answer') {
          world.directory.release(1);
          await turns(2);
        } else if (one.type === 'gap') forgetAbsence({ type: 'gap' }, world.devices);
        else if (one.type === 'later') world.time += 6_000;
        else if (one.type === 'gone') world.admission.abandon(second);
        else world.kernel.refuse = one.type === 'refuse' ? () => 'ENOMEM' : () => undefined;
        expect(world.unaccounted()).toBe(0);
      }
      world.directory.release();
      await turns(4);
      expect(world.admission.inFlight).toBe(0);
      expect(world.unaccounted()).toBe(0);
      working.unsubscribe();
    }),
    { numRuns: 150 },
  );
});

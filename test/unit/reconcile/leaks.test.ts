import { beforeEach, describe, expect, it } from 'vitest';
import { NUD_NOARP, NUD_REACHABLE } from '../../../src/kernel/netlink.ts';
import type { ServedDevice } from '../../../src/model/device.ts';
import { BRIDGE, GUEST, VXLAN, mac } from '../fake/world.ts';
import { ReconcileWorld } from './reconciling.ts';

let world: ReconcileWorld;
let device: ServedDevice;

/** The bridge learns a MAC on a port, and the kernel says so. */
function learns(n: number, port = GUEST, state = NUD_REACHABLE): void {
  world.kernel.putBridgeFdb(BRIDGE, port, mac(n), 0, state);
  const row = world.kernel.bridgeFdbEntry(BRIDGE, mac(n));
  if (row === undefined) throw new Error('no row');
  const behindBridge = (bridge: number): ServedDevice | undefined => (bridge === BRIDGE ? device : undefined);
  world.reconciler.onRows({ changes: [{ removed: false, row }], deviceOf: world.deviceOf, behindBridge });
}
const known = (): string[] => world.kernel.bridgeFdbOf(BRIDGE).map(({ lladdr }) => lladdr);

beforeEach(() => {
  world = new ReconcileWorld();
  device = world.device();
  world.hold(device, 2);
});

describe('a MAC of another host that the bridge learns on a port here', () => {
  it('is removed from the bridge at once, and no other row is', () => {
    for (const n of [1, 9]) learns(n);
    learns(2, VXLAN);
    expect(known()).toEqual([mac(9), mac(2)]);
    expect(world.counters.reconcileChanges.get('removed_bridge_entry')).toBe(1);
  });

  it('is left and reported as a conflict if the row is static', () => {
    learns(1, GUEST, NUD_NOARP);
    expect(known()).toEqual([mac(1)]);
    expect(world.counters.conflicts.bridge_knows_mac).toBe(1);
  });

  it('is a conflict while it sends, and removed when it is silent', async () => {
    for (let frame = 0; frame < 100; frame++) learns(1);
    expect(known()).toEqual([mac(1)]);
    expect(world.counters.reconcileChanges.get('removed_bridge_entry')).toBe(8);
    expect(world.counters.conflicts.bridge_knows_mac).toBe(1);
    await world.audit();
    await world.settled();
    expect(known()).toEqual([mac(1)]);
    expect(world.counters.conflicts.bridge_knows_mac).toBe(2);
    world.time += 2_000;
    await world.audit();
    await world.settled();
    expect(known()).toEqual([]);
    learns(1);
    expect(known()).toEqual([]);
  });

  it('is found by the audit when the notification was lost', async () => {
    world.kernel.putBridgeFdb(BRIDGE, GUEST, mac(1), 5_000);
    world.kernel.putBridgeFdb(BRIDGE, GUEST, mac(9), 5_000);
    await world.audit();
    await world.settled();
    expect(known()).toEqual([mac(9)]);
  });
});

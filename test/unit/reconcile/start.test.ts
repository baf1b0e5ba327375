import { beforeEach, describe, expect, it } from 'vitest';
import { NTF_EXT_LEARNED, NTF_ROUTER, NTF_SELF, NUD_PERMANENT } from '../../../src/kernel/netlink.ts';
import type { ServedDevice } from '../../../src/model/device.ts';
import { OUR_FDB_ROW, OUR_ROW, VNI, VXLAN, ip, mac, turns, vtep } from '../fake/world.ts';
import { ReconcileWorld } from './reconciling.ts';

let world: ReconcileWorld;
let device: ServedDevice;

/** What a predecessor wrote, and, where it is still true, its record. */
function leave(n: number, options: { record?: string | null; behind?: string } = {}): void {
  const { record = `${mac(n)} ${vtep(2)}`, behind = vtep(2) } = options;
  world.kernel.putFdb({ ifindex: VXLAN, lladdr: mac(n), vtep: behind, ...OUR_FDB_ROW });
  world.kernel.putNeighbour({ ifindex: VXLAN, ip: ip(n), lladdr: mac(n), ...OUR_ROW });
  if (record !== null) world.directory.set(VNI, 'ip', ip(n), record);
}

async function begin(read: Promise<void> = Promise.resolve()): Promise<void> {
  world.reconciler.begin(device, read);
  await turns(12);
}

beforeEach(() => {
  world = new ReconcileWorld();
  device = world.device();
  device.adopted = false;
  device.verified = false;
});

describe('a start', () => {
  it.each([
    { overtaken: false, guarded: [VNI] },
    { overtaken: true, guarded: [] },
  ])(
    'keeps entries without records if the VNI is empty; during a gap $overtaken the resync decides',
    async ({ overtaken, guarded }) => {
      for (let n = 1; n <= 20; n++) leave(n, { record: null });
      let say: (empty: boolean) => void = () => undefined;
      world.directory.isEmpty = () => new Promise((answer) => (say = answer));
      await begin();
      if (overtaken) {
        // Its records are back by then.
        for (let n = 1; n <= 20; n++) leave(n);
        await world.gap();
      }
      say(true);
      await turns(12);
      expect(world.reconciler.guard.active).toEqual(guarded);
      expect(device.tables.neighbours.size).toBe(20);
    },
  );

  it('adopts valid entries and writes nothing', async () => {
    leave(1);
    world.kernel.putFdb({ ifindex: VXLAN, lladdr: mac(2), vtep: vtep(3), ...OUR_FDB_ROW });
    world.directory.set(VNI, 'mac', mac(2), vtep(3));
    await begin();
    expect(device.adopted && device.verified).toBe(true);
    expect(world.kernel.written).toEqual([]);
    expect([...device.tables.neighbours.keys()]).toEqual([ip(1)]);
    expect([...device.tables.fdb.keys()]).toEqual([mac(1), mac(2)]);
    expect(device.tables.neighbours.get(ip(1))?.source).toEqual({ kind: 'ip', name: ip(1) });
    expect(device.tables.fdb.get(mac(1))?.source).toEqual({ kind: 'ip', name: ip(1) });
  });

  it('adopts a router as one', async () => {
    const flags = NTF_SELF | NTF_EXT_LEARNED | NTF_ROUTER;
    world.kernel.putFdb({ ifindex: VXLAN, lladdr: mac(1), vtep: vtep(2), ...OUR_FDB_ROW, flags });
    world.kernel.putNeighbour({ ifindex: VXLAN, ip: ip(1), lladdr: mac(1), ...OUR_ROW });
    world.directory.set(VNI, 'ip', ip(1), `${mac(1)} ${vtep(2)} router`);
    await begin();
    expect(world.kernel.written).toEqual([]);
    expect(device.tables.fdb.get(mac(1))?.router).toBe(true);
  });

  it('repairs moved entries and removes entries without a record, before the device counts as verified', async () => {
    leave(1, { behind: vtep(9) });
    leave(2, { record: null });
    leave(3, { record: `${mac(33)} ${vtep(3)}` });
    let verified: boolean | undefined;
    world.kernel.refuse = () => {
      verified = device.verified;
      return undefined;
    };
    await begin();
    expect(world.neighbours(device)).toEqual({ [ip(1)]: mac(1), [ip(3)]: mac(33) });
    expect(world.fdb(device)).toMatchObject({ [mac(1)]: vtep(2), [mac(33)]: vtep(3) });
    expect(world.fdb(device)).not.toHaveProperty(mac(2));
    expect(device.verified).toBe(true);
    expect(verified).toBe(false);
  });

  it('leaves foreign rows alone', async () => {
    world.kernel.putNeighbour({ ifindex: VXLAN, ip: ip(1), lladdr: mac(1), ...OUR_ROW, protocol: 3 });
    world.kernel.putNeighbour({
      ifindex: VXLAN,
      ip: ip(2),
      lladdr: mac(2),
      ...OUR_ROW,
      state: NUD_PERMANENT,
    });
    world.kernel.putFdb({
      ifindex: VXLAN,
      lladdr: mac(3),
      vtep: vtep(2),
      state: NUD_PERMANENT,
      flags: NTF_SELF,
    });
    world.kernel.putFdb({ ifindex: VXLAN, lladdr: 'ff:ff:ff:ff:ff:ff', vtep: vtep(2), ...OUR_FDB_ROW });
    await begin();
    expect(world.kernel.written).toEqual([]);
    expect(device.tables.neighbours.size + device.tables.fdb.size).toBe(0);
  });

  it('keeps answers that are written meanwhile', async () => {
    leave(1);
    world.kernel.onDump = (when) => {
      if (when === 'after') world.endpoint(device, ip(1), mac(1), vtep(3));
    };
    await begin();
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(3) });
    expect(device.tables.fdb.get(mac(1))?.vtep).toBe(vtep(3));
  });

  it('uses a lease as soon as the leases were read, and removes nothing before', async () => {
    leave(1, { record: null });
    let read = (): void => undefined;
    const leases = new Promise<void>((resolve) => (read = resolve));
    await begin(leases);
    expect(device.verified).toBe(false);
    expect(world.neighbours(device)).toEqual({ [ip(1)]: mac(1) });
    world.directory.lease(VNI, '20.0.0.0/24', `${mac(1)} ${vtep(2)}`);
    read();
    await turns(12);
    expect(device.verified).toBe(true);
    expect(world.kernel.written).toEqual([]);
    expect(device.tables.neighbours.get(ip(1))?.source).toEqual({ kind: 'lease', name: '20.0.0.0/24' });
  });

  it('continues when the tables cannot be read', async () => {
    world.kernel.dumpFailure = 'EINTR';
    await begin();
    expect(device.adopted && device.verified).toBe(true);
    expect(world.lines.join('')).toContain('could not be read');
  });

  it('withdraws nothing while the directory is down', async () => {
    world.reconciler.directory(false);
    leave(1);
    leave(2, { record: null });
    await begin();
    expect(device.adopted).toBe(true);
    expect(device.verified).toBe(false);
    expect(Object.keys(world.neighbours(device))).toHaveLength(2);
    world.reconciler.directory(true);
    await turns(12);
    expect(device.verified).toBe(true);
    expect(world.neighbours(device)).toEqual({ [ip(1)]: mac(1) });
  });
});

describe('many orphans at start', () => {
  beforeEach(() => {
    for (let n = 1; n <= 20; n++) leave(n, { record: null });
  });

  it('are removed if the VNI has any other record, and only then is the device verified', async () => {
    world.directory.set(VNI, 'ip', ip(99), `${mac(99)} ${vtep(2)}`);
    await begin();
    expect(world.neighbours(device)).toEqual({});
    expect(device.verified).toBe(true);
  });

  it('stay for the grace if the VNI has no record', async () => {
    await begin();
    expect(Object.keys(world.neighbours(device))).toHaveLength(20);
    expect(world.reconciler.guard.active).toEqual([VNI]);
    expect(device.verified).toBe(true);
  });

  it('stay if their records return while the directory is searched', async () => {
    let say: (empty: boolean) => void = () => undefined;
    world.directory.isEmpty = () => new Promise((resolve) => (say = resolve));
    await begin();
    expect(device.verified).toBe(false);
    for (let n = 1; n <= 20; n++) world.directory.set(VNI, 'ip', ip(n), `${mac(n)} ${vtep(2)}`);
    say(false);
    await turns(12);
    expect(Object.keys(world.neighbours(device))).toHaveLength(20);
    expect(device.verified).toBe(true);
  });
});

describe('records of one MAC that disagree at start', () => {
  it.each([
    ['first', vtep(3), vtep(10)],
    ['last', vtep(10), vtep(3)],
  ])('resolve to the lowest VTEP if it comes %s', async (_, one, other) => {
    leave(1, { record: `${mac(1)} ${one}`, behind: vtep(9) });
    world.kernel.putNeighbour({ ifindex: VXLAN, ip: ip(2), lladdr: mac(1), ...OUR_ROW });
    world.directory.set(VNI, 'ip', ip(2), `${mac(1)} ${other}`);
    await begin();
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(3) });
    expect(world.counters.conflicts.vtep_disputed).toBeGreaterThan(0);
  });
});

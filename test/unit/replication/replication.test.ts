import { beforeEach, describe, expect, it } from 'vitest';
import { Replication, MOST_REPLICAS } from '../../../src/replication/replication.ts';
import { BroadcastLimits } from '../../../src/nft/broadcast-limits.ts';
import { GROUPS } from '../../../src/model/replicated-groups.ts';
import { NTF_SELF, NUD_PERMANENT } from '../../../src/kernel/netlink.ts';
import type { ServedDevice } from '../../../src/model/device.ts';
import { replicasIn } from '../../../src/entries/replicas.ts';
import { HERE, OUR_FDB_ROW, VNI, VXLAN, World, mac, vtep } from '../fake/world.ts';

let world: World;
let device: ServedDevice;
let replication: Replication;
let members: Set<string>;

const open = (...vnis: number[]): Replication =>
  new Replication(
    vnis,
    world.deps,
    () => world.devices,
    world.log,
    new BroadcastLimits(200, world.log, world.deps.now),
  );

beforeEach(() => {
  world = new World();
  device = world.device();
  replication = open(VNI);
  members = new Set();
  world.directory.members.set(VNI, members);
});

/** VTEPs by group, in the kernel. */
function replicas(): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const { lladdr, vtep: to = '' } of world.kernel.fdbOf(VXLAN)) (found[lladdr] ??= []).push(to);
  for (const vteps of Object.values(found)) vteps.sort();
  return found;
}

const all = (...vteps: string[]): Record<string, string[]> =>
  Object.fromEntries(GROUPS.map((group) => [group, vteps]));

async function round(after = 0): Promise<void> {
  world.time += after;
  await replication.round();
}

describe('replication', () => {
  it('registers this host, and copies to the other hosts only', async () => {
    members.add(vtep(2)).add(vtep(3));
    await round();
    expect([...members].sort()).toEqual([HERE, vtep(2), vtep(3)]);
    expect(replicas()).toEqual(all(vtep(2), vtep(3)));
    for (const { flags, state } of world.kernel.fdbOf(VXLAN)) expect({ flags, state }).toEqual(OUR_FDB_ROW);
    await replication.leave();
    expect([...members]).toEqual([vtep(2), vtep(3)]);
  });

  it('never writes an all-zeros entry, which would end L2 misses', () => {
    expect(GROUPS).not.toContain('00:00:00:00:00:00');
    for (const group of GROUPS) expect(parseInt(group.slice(0, 2), 16) & 1).toBe(1);
  });

  it('follows new and removed members, and writes nothing without a change', async () => {
    members.add(vtep(2)).add(vtep(3));
    await round();
    members.delete(vtep(3));
    members.add(vtep(4));
    await round(60_000);
    expect(replicas()).toEqual(all(vtep(2), vtep(4)));
    const written = world.kernel.written.length;
    await round(5_000);
    expect(world.kernel.written).toHaveLength(written);
  });

  it('is unchanged while the directory is away, and removes no member for a while after', async () => {
    members.add(vtep(2));
    await round();
    await round(60_000);
    world.directory.fail('gone');
    await round(60_000);
    expect(replicas()).toEqual(all(vtep(2)));
    world.directory.recover();
    members.clear();
    members.add(vtep(3));
    await round(1_000);
    expect(replicas()).toEqual(all(vtep(2), vtep(3)));
    await round(10_000);
    expect(replicas()).toEqual(all(vtep(3)));
  });

  it('ignores a member of another family, a forbidden VTEP or an invalid VTEP', async () => {
    members.add('fd99::2').add('127.0.0.1').add('nonsense').add(vtep(2));
    await round();
    expect(replicas()).toEqual(all(vtep(2)));
    expect(Object.fromEntries(world.counters.malformedRecords)).toEqual({ vtep_family: 1, vtep: 2 });
  });

  it('copies to a bounded number of hosts, always the same ones', async () => {
    for (let n = 2; n < MOST_REPLICAS + 12; n++) members.add(vtep(n));
    await round();
    expect(replicas()[GROUPS[0] ?? '']).toHaveLength(MOST_REPLICAS);
    expect(replication.leftOut).toBe(10);
    expect(world.lines.filter((line) => line.includes('138 hosts take part'))).toHaveLength(1);
    const before = replicas();
    await round(60_000);
    expect(replicas()).toEqual(before);
    expect(world.lines.filter((line) => line.includes('hosts take part'))).toHaveLength(1);
  });

  it('leaves a group that has an entry of an operator, and reports it', async () => {
    const [group = ''] = GROUPS;
    const flags = NTF_SELF;
    world.kernel.putFdb({ ifindex: VXLAN, lladdr: group, vtep: vtep(9), state: NUD_PERMANENT, flags });
    members.add(vtep(2));
    await round();
    expect(replicas()).toEqual({ ...all(vtep(2)), [group]: [vtep(9)] });
    expect(world.counters.conflicts.foreign_fdb).toBe(1);
  });

  it('is repaired after an audit, and after the device was down', async () => {
    members.add(vtep(2)).add(vtep(3));
    await round();
    world.kernel.removeFdb(VXLAN, GROUPS[2] ?? '');
    device.replicas = replicasIn(await world.kernel.fdb(VXLAN), device.journal);
    await round(5_000);
    expect(replicas()).toEqual(all(vtep(2), vtep(3)));
    world.kernel.empty(VXLAN);
    await round(5_000);
    expect(replicas()).toEqual(all(vtep(2), vtep(3)));
  });

  it('of an earlier daemon is removed if the option is gone; entries of endpoints stay', async () => {
    members.add(vtep(2));
    await round();
    world.place(device, '20.0.0.9', mac(9), vtep(2));
    replication = open();
    await round();
    expect(replicas()).toEqual({ [mac(9)]: [vtep(2)] });
  });

  it('does not register this host if the device has no address', async () => {
    const { link } = device;
    device.link = { ...link, vxlan: { ...link.vxlan } };
    delete device.link.vxlan.local;
    members.add(vtep(2));
    await round();
    expect([...members]).toEqual([vtep(2)]);
    expect(replicas()).toEqual(all(vtep(2)));
  });
});

/** FDB rows with our marks that may be another control plane's: zebra writes the same. */
import { VolatileJournal } from '../../../src/model/journal.ts';
import { beforeEach, describe, expect, it } from 'vitest';
import { NTF_EXT_LEARNED, NUD_NOARP, NUD_REACHABLE } from '../../../src/kernel/netlink.ts';
import type { ServedDevice } from '../../../src/model/device.ts';
import { withdrawNeighbours } from '../../../src/entries/remove.ts';
import { BRIDGE, OUR_FDB_ROW, OUR_ROW, VNI, VXLAN, ip, mac, turns, vtep } from '../fake/world.ts';
import { ReconcileWorld, ipKey } from './reconciling.ts';

/** RTPROT_ZEBRA. */
const ZEBRA = 11;

class Known extends VolatileJournal {
  override isNew = false;
  readonly #rows: ReadonlySet<string>;
  constructor(rows: ReadonlySet<string>) {
    super();
    this.#rows = rows;
  }
  override wrote(one: string, behind: string): boolean {
    return this.#rows.has(`${one} ${behind}`);
  }
}

let world: ReconcileWorld;
let device: ServedDevice;
const journal = new Set<string>();
let isFirst: boolean;

beforeEach(() => {
  journal.clear();
  isFirst = false;
  world = new ReconcileWorld({}, () => (isFirst ? new VolatileJournal() : new Known(journal)));
  device = world.device();
  device.adopted = false;
  device.verified = false;
});

const stand = (n: number, behind = 2): void => {
  world.kernel.putFdb({ ifindex: VXLAN, lladdr: mac(n), vtep: vtep(behind), ...OUR_FDB_ROW });
};
const record = (n: number, behind = 2): void => {
  world.directory.set(VNI, 'ip', ip(n), `${mac(n)} ${vtep(behind)}`);
};
const half = (n: number): void => {
  world.kernel.putBridgeFdb(BRIDGE, VXLAN, mac(n), 0, NUD_REACHABLE, NTF_EXT_LEARNED);
};
const zebra = (n: number, ifindex = BRIDGE): void => {
  world.kernel.putNeighbour({
    ifindex,
    ip: ip(n),
    lladdr: mac(n),
    state: NUD_NOARP,
    flags: NTF_EXT_LEARNED,
    protocol: ZEBRA,
  });
};
const begin = async (): Promise<void> => {
  world.reconciler.begin(device, Promise.resolve());
  await turns(64);
};
const held = (): string[] => [...device.tables.fdb.keys()];

describe('a row with missd’s marks at the start', () => {
  it('is left, counted and reported without evidence', async () => {
    stand(1);
    await begin();
    await world.audit();
    await world.settled();
    expect(world.kernel.written).toEqual([]);
    expect(held()).toEqual([]);
    expect([...device.foreign]).toEqual([[mac(1), vtep(2)]]);
    expect(world.lines.filter((line) => line.includes('another owner'))).toHaveLength(1);
  });

  it('is missd’s by the journal, and is removed without a record', async () => {
    stand(1);
    journal.add(`${mac(1)} ${vtep(2)}`);
    world.directory.set(VNI, 'ip', ip(99), `${mac(99)} ${vtep(2)}`);
    await begin();
    expect(world.fdb(device)).toEqual({});
  });

  it('is missd’s by the journal, and stays because of an ip: record that a search finds', async () => {
    stand(1);
    journal.add(`${mac(1)} ${vtep(2)}`);
    record(1);
    await begin();
    expect(world.kernel.written).toEqual([]);
    expect(device.tables.fdb.get(mac(1))?.source).toEqual({ kind: 'ip', name: ip(1) });
    expect(device.verified).toBe(true);
  });

  it('is also searched for if a full resync comes first', async () => {
    world.reconciler.directory(false);
    stand(1);
    journal.add(`${mac(1)} ${vtep(2)}`);
    record(1);
    world.reconciler.begin(device, new Promise(() => undefined));
    await turns(64);
    // The feed of a directory that has just been connected to begins with a gap.
    await world.gap();
    await turns(64);
    expect(world.kernel.written).toEqual([]);
    expect(device.tables.fdb.get(mac(1))?.source).toEqual({ kind: 'ip', name: ip(1) });
  });

  it('is missd’s by its record, and follows the record from then on', async () => {
    stand(1);
    record(1);
    await begin();
    expect(held()).toEqual([mac(1)]);
    record(1, 3);
    await world.changed(ipKey(1));
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(3) });
  });

  it('is missd’s by a neighbour of missd', async () => {
    stand(1);
    world.kernel.putNeighbour({ ifindex: VXLAN, ip: ip(1), lladdr: mac(1), ...OUR_ROW });
    record(1, 3);
    await begin();
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(3) });
  });

  it('is reported if it contradicts its record and the journal does not have it', async () => {
    stand(1);
    record(1, 3);
    await begin();
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(2) });
    expect(world.counters.conflicts.foreign_fdb).toBe(1);
    expect(held()).toEqual([]);
  });

  it('is replaced if it contradicts its record and no journal exists, so that no guest is unreachable', async () => {
    isFirst = true;
    stand(1);
    record(1, 3);
    await begin();
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(3) });
    expect(world.corrections()).toMatchObject({ repaired_fdb: 1 });
  });

  it.each([
    ['its half in the bridge', half],
    ['a neighbour of another protocol on the bridge', zebra],
    [
      'a neighbour of another protocol on the device',
      (n: number) => {
        zebra(n, VXLAN);
      },
    ],
  ])('is not replaced with the mark of another owner: %s', async (_what, sign) => {
    isFirst = true;
    stand(1);
    record(1, 3);
    sign(1);
    await begin();
    await world.settled();
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(2) });
    expect(held()).toEqual([]);
  });

  it('concludes nothing while the directory is down', async () => {
    world.reconciler.directory(false);
    stand(1);
    await begin();
    expect(device.foreign.size).toBe(0);
    record(1);
    world.reconciler.directory(true);
    await turns(64);
    expect(held()).toEqual([mac(1)]);
    expect(device.tables.unproven.size).toBe(0);
  });
});

describe('a row of missd that another owner has marked meanwhile', () => {
  beforeEach(async () => {
    record(1);
    await begin();
    world.place(device, ip(1), mac(1), vtep(2));
    half(1);
  });

  it('stays when missd no longer needs it', () => {
    withdrawNeighbours(device, [ip(1)], world.deps.report);
    expect(world.neighbours(device)).toEqual({});
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(2) });
    expect(held()).toEqual([]);
  });

  it('may be changed by the owner, is reported, and is missd’s again when the owner removes it', async () => {
    stand(1, 9);
    await world.audit();
    await world.settled();
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(9) });
    expect(world.counters.conflicts.foreign_fdb).toBe(1);
    world.kernel.removeFdb(VXLAN, mac(1));
    await world.audit();
    await world.settled();
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(2) });
  });
});

it('an unproven row that its owner removes is not restored', async () => {
  world.reconciler.directory(false);
  stand(1);
  await begin();
  world.kernel.removeFdb(VXLAN, mac(1));
  await world.audit();
  await world.settled();
  expect(world.fdb(device)).toEqual({});
  expect(held()).toEqual([]);
});

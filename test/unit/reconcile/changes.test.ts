import { beforeEach, describe, expect, it } from 'vitest';
import { rechecksFor } from '../../../src/reconcile/changes.ts';
import type { DirectoryChange } from '../../../src/directory/directory.ts';
import type { ServedDevice } from '../../../src/model/device.ts';
import { install } from '../../../src/entries/install.ts';
import type { Source } from '../../../src/model/desired-tables.ts';
import { VNI, ip, mac, vtep } from '../fake/world.ts';
import { ReconcileWorld, LIFETIME, ipKey, macKey } from './reconciling.ts';

let world: ReconcileWorld;
let device: ServedDevice;

const keys = (change: DirectoryChange): string[] =>
  rechecksFor(change, world.devices, 0).map(({ table, key }) => `${table} ${key}`);
const records = (...changed: ReturnType<typeof ipKey>[]): string[] =>
  keys({ type: 'records', keys: changed });

function alone(n: number, source: Source): void {
  install([{ device, answer: { mac: mac(n), vtep: vtep(2), router: false, source } }], world.deps);
}

beforeEach(() => {
  world = new ReconcileWorld();
  device = world.device();
  world.hold(device, 2);
});

describe('a change rechecks', () => {
  it('the neighbour of an ip: record, and nothing if it is not held', () => {
    expect(records(ipKey(1), ipKey(9))).toEqual([`neighbour ${ip(1)}`]);
  });

  it('an FDB entry without a neighbour that follows an ip: record', () => {
    alone(5, { kind: 'ip', name: ip(5) });
    expect(records(ipKey(5))).toEqual([`fdb ${mac(5)}`]);
  });

  it('a user of the MAC of a mac: record, or the FDB entry if it has no user', () => {
    alone(5, { kind: 'mac', name: mac(5) });
    expect(records(macKey(1), macKey(5), macKey(9))).toEqual([`neighbour ${ip(1)}`, `fdb ${mac(5)}`]);
  });

  it('entries from leases, and nothing of another VNI', () => {
    const source = { kind: 'lease' as const, name: '20.1.0.0/16' };
    install(
      [{ device, ip: '20.1.0.1', answer: { mac: mac(7), vtep: vtep(2), router: false, source } }],
      world.deps,
    );
    alone(8, source);
    expect(keys({ type: 'leases', vni: VNI })).toEqual(['neighbour 20.1.0.1', `fdb ${mac(8)}`]);
    expect(keys({ type: 'leases', vni: 200 })).toEqual([]);
    expect(keys({ type: 'records', keys: [{ ...ipKey(1), vni: 200 }] })).toEqual([]);
  });
});

describe('the negative cache', () => {
  beforeEach(() => {
    for (const address of [ip(8), ip(9)]) device.absent.add(address);
    device.local.add(ip(7));
  });

  it('loses only the address of the changed record', async () => {
    await world.changed(ipKey(8), ipKey(7));
    expect([ip(7), ip(8)].map((one) => device.absent.has(one) || device.local.has(one))).toEqual([
      false,
      false,
    ]);
    expect(device.absent.has(ip(9))).toBe(true);
  });

  it.each<DirectoryChange>([{ type: 'leases', vni: VNI }, { type: 'gap' }, { type: 'flushed' }])(
    'is forgotten altogether after $type',
    (change) => {
      world.reconciler.onChange(change);
      expect(device.absent.size + device.local.size).toBe(0);
    },
  );

  it('keeps addresses of other VNIs', () => {
    world.reconciler.onChange({ type: 'leases', vni: 200 });
    expect(device.absent.size).toBe(2);
  });
});

describe('an answer', () => {
  const read = (): number => world.directory.reads.flat().filter(({ kind }) => kind === 'ip').length;

  it('is read again once when it is as old as the lifetime', async () => {
    await world.pass(LIFETIME - 1);
    expect(read()).toBe(0);
    await world.pass(1);
    expect(read()).toBe(2);
    await world.pass(LIFETIME - 1);
    expect(read()).toBe(2);
    await world.pass(1);
    expect(read()).toBe(4);
  });

  it('that was read for another reason is fresh', async () => {
    await world.pass(LIFETIME - 1);
    await world.changed(ipKey(1));
    await world.pass(1);
    expect(read()).toBe(2);
  });

  it('that changed without a notification is found', async () => {
    world.directory.set(VNI, 'ip', ip(1), `${mac(1)} ${vtep(3)}`);
    await world.pass(LIFETIME);
    expect(world.fdb(device)).toEqual({ [mac(1)]: vtep(3), [mac(2)]: vtep(2) });
  });

  it('follows a mac: record that appeared without a notification, and the ip: record after its end', async () => {
    world.directory.set(VNI, 'mac', mac(1), vtep(3));
    await world.pass(LIFETIME);
    expect(world.fdb(device)).toHaveProperty([mac(1)], vtep(3));
    await world.pass(LIFETIME);
    expect(device.tables.fdb.get(mac(1))?.source.kind).toBe('mac');
    world.directory.delete(VNI, 'mac', mac(1));
    await world.pass(LIFETIME);
    expect(world.fdb(device)).toHaveProperty([mac(1)], vtep(2));
  });

  it('is removed if its VTEP has become one of this host', async () => {
    world.own.set('device', [vtep(2)]);
    await world.pass(LIFETIME);
    expect(world.neighbours(device)).toEqual({});
  });

  it('of an FDB entry alone is read again in the same way', async () => {
    alone(5, { kind: 'mac', name: mac(5) });
    await world.pass(LIFETIME);
    expect(world.fdb(device)).not.toHaveProperty(mac(5));
  });

  it('is left alone while the directory is down', async () => {
    world.reconciler.directory(false);
    await world.pass(LIFETIME * 3);
    expect(read()).toBe(0);
    expect(Object.keys(world.fdb(device))).toHaveLength(2);
  });
});

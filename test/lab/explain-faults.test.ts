/** Faults of records, hosts and underlay, with a daemon that serves: what `missd explain` makes of each. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Account } from '../../src/observe/history/account.ts';
import { ipKey, macKey, macRecord } from '../../src/lab/records.ts';
import { until } from '../../src/lab/wait.ts';
import { explain, follow } from './explaining.ts';
import { Pair, close, tellOnFailure } from './harness.ts';

const IP = '20.0.0.2';
const MAC = '02:42:14:00:00:02';
const WRONG = '02:00:00:00:00:aa';
let pair: Pair;
tellOnFailure(() => pair);
beforeAll(async () => {
  // What nobody has is remembered for as long as a slow machine takes to ask.
  pair = await Pair.build({ flags: ['--negative-lifetime', '60'] });
  await well();
});
afterAll(() => close(pair));
afterEach(async () => {
  await pair.redis.cli('FLUSHALL');
  await well();
  await pair.guest1.forgetNeighbours();
});

/** Everything as it should be. */
async function well(): Promise<void> {
  await pair.publishGuests(pair.guest1, pair.guest2);
  await pair.publish(macRecord(pair.guest1), macRecord(pair.guest2));
}

const account = async (address = IP): Promise<Account> => {
  const answer = await pair.daemon.get(`/history?vni=100&address=${address}`);
  return JSON.parse(answer?.body ?? '{}') as Account;
};

describe('records', () => {
  test('no record: the address is unknown, and the daemon remembers which port asked', async () => {
    const address = '20.0.0.99';
    const found = await explain(pair, { address, from: pair.guest1 });
    expect(found.verdict).toMatchObject({ works: false, cause: 'no_record' });
    expect(found.verdict.next).toBe(
      `missd endpoint set 100 20.0.0.99 <MAC> <VTEP> --redis ${pair.redis.socket}`,
    );
    expect(found.of('daemon').map(({ text }) => text)).toContainEqual(
      expect.stringMatching(/^has it in the negative cache for [\d.]+ s more$/),
    );
    expect(found.of('history').map(({ text }) => text)).toContainEqual(
      expect.stringMatching(/ miss unresolved: no record, after [\d.]+ ms$/),
    );
    expect(found.code).toBe(1);
  });

  test('a malformed one: what is wrong with it', async () => {
    await pair.publish([ipKey(100, '20.0.0.98'), `${MAC} 127.0.0.1`]);
    const { verdict, of } = await explain(pair, { address: '20.0.0.98' });
    expect(verdict).toMatchObject({ works: false, cause: 'malformed_record' });
    expect(of('record')[0]?.text).toContain('malformed (vtep)');
  });

  test('a wrong MAC: no guest answers, and the named host shows the right MAC', async () => {
    await pair.redis.cli('DEL', macKey(100, MAC), ipKey(100, 'fd20::2'));
    await pair.publish([ipKey(100, IP), `${WRONG} ${pair.host2.vtep}`]);
    const there = await explain(pair, { from: pair.guest1 });
    expect(there.verdict).toMatchObject({ works: false, cause: 'no_answer' });
    expect(there.verdict.says).toContain(
      `the record says ${WRONG} behind 10.99.0.2, and no guest answers there`,
    );
    expect(there.verdict.next).toBe(
      `missd explain 100 20.0.0.2 --redis ${pair.redis.socket}   # on 10.99.0.2`,
    );
    // The guest itself knows who it is.
    expect((await explain(pair, { host: pair.host2, from: pair.guest2 })).verdict.cause).toBe('wrong_mac');
    // Its bridge does as soon as it says anything.
    await pair.guest2.ping('20.0.0.97', { timeout: 0.1 });
    const home = await explain(pair, { host: pair.host2 });
    expect(home.verdict).toMatchObject({ works: false, cause: 'not_here' });
    expect(home.verdict.next).toBe(
      `missd endpoint set 100 ${IP} ${MAC} 10.99.0.2 --redis ${pair.redis.socket}`,
    );
    await follow(home);
    await until(
      'the record to be heeded',
      async () => (await account()).devices[0]?.neighbour?.mac !== WRONG,
    );
    expect((await explain(pair, { from: pair.guest1 })).verdict.works).toBe(true);
  });

  test('a wrong VTEP: a host that is not there', async () => {
    await pair.redis.cli('DEL', macKey(100, MAC), ipKey(100, 'fd20::2'));
    await pair.publish([ipKey(100, IP), `${MAC} 10.99.0.77`]);
    const { verdict, code } = await explain(pair, { from: pair.guest1 });
    expect(verdict).toMatchObject({ works: false, cause: 'wrong_vtep' });
    expect(verdict.says).toMatch(
      /^the record says 10\.99\.0\.77, which does not answer, and no other record names it/,
    );
    expect(verdict.next).toBe(`missd endpoint set 100 ${IP} ${MAC} <VTEP> --redis ${pair.redis.socket}`);
    expect(code).toBe(1);
  });

  test('a wrong VTEP: a host that is no VTEP', async () => {
    const host = await pair.lab.addBareHost();
    await pair.redis.cli('DEL', macKey(100, MAC));
    await pair.publish([ipKey(100, IP), `${MAC} ${host.vtep}`]);
    const { verdict } = await explain(pair);
    expect(verdict).toMatchObject({ works: false, cause: 'wrong_vtep' });
    expect(verdict.says).toContain(
      `${host.vtep}, which answers, but takes no VXLAN packets; the record of fd20::2 has the same MAC behind`,
    );
    expect(verdict.next).toBe(`missd endpoint set 100 ${IP} ${MAC} 10.99.0.2 --redis ${pair.redis.socket}`);
  });

  test('several ip: records of one MAC with different VTEPs, and no mac: that decides', async () => {
    await pair.redis.cli('DEL', macKey(100, MAC));
    await pair.publish([ipKey(100, '20.0.0.55'), `${MAC} 10.99.0.9`]);
    const { verdict } = await explain(pair);
    expect(verdict).toMatchObject({ works: false, cause: 'vtep_disputed' });
    expect(verdict.says).toContain(
      `ip: records of ${MAC} name 10.99.0.2 and 10.99.0.9, and no mac: record decides`,
    );
  });

  test('a mac: record that contradicts the ip: record wins, and is told', async () => {
    await pair.publish([ipKey(100, IP), `${MAC} 10.99.0.9`]);
    const { verdict, of } = await explain(pair);
    expect(of('mac record')[0]?.text).toContain('contradicts 10.99.0.9 of the ip: record, and wins');
    expect(verdict).toMatchObject({ works: true, cause: 'vtep_disputed' });
  });
});

describe('two owners of one address', () => {
  test('two writers, whose record goes back and forth', async () => {
    await pair.guest1.ping(IP);
    const says = async (vtep: string) => {
      await pair.publish([macKey(100, MAC), vtep], [ipKey(100, IP), `${MAC} ${vtep}`]);
      await until(`${vtep} to be in force`, async () => (await account()).devices[0]?.fdb?.vtep === vtep);
    };
    for (const vtep of ['10.99.0.8', pair.host2.vtep, '10.99.0.8', pair.host2.vtep]) await says(vtep);
    const { verdict } = await explain(pair);
    expect(verdict).toMatchObject({ works: false, cause: 'two_owners' });
    expect(verdict.says).toMatch(/^20\.0\.0\.2 has two owners: its record alternates between /);
    expect(verdict.next).toBe(`redis-cli -s ${pair.redis.socket} MONITOR | grep -F 20.0.0.2`);
  });

  test('a guest here that another host’s record claims', async () => {
    await pair.guest1.ping(IP);
    await pair.publish(
      [macKey(100, pair.guest1.mac), '10.99.0.2'],
      [ipKey(100, '20.0.0.1'), `${pair.guest1.mac} 10.99.0.2`],
    );
    // missd takes the record's word and lets the bridge forget; the guest goes on talking.
    await until('the bridge to have forgotten and to hear it again', async () => {
      await pair.guest1.ping('20.0.0.97', { timeout: 0.1 });
      const [found] = (await explain(pair, { address: '20.0.0.1' })).of('bridge');
      return found?.text.includes('on g1');
    });
    const { verdict } = await explain(pair, { address: '20.0.0.1' });
    expect(verdict).toMatchObject({ works: false, cause: 'two_owners' });
    expect(verdict.next).toBe(
      `missd endpoint set 100 20.0.0.1 ${pair.guest1.mac} 10.99.0.1 --redis ${pair.redis.socket}`,
    );
  });

  test('an address of the host’s own bridge that a record gives to another', async () => {
    await pair.host1.namespace.ip(['address', 'add', '20.0.0.254/24', 'dev', 'br0']);
    await pair.publish([ipKey(100, '20.0.0.254'), `${MAC} 10.99.0.2`]);
    const { verdict } = await explain(pair, { address: '20.0.0.254' });
    await pair.host1.namespace.ip(['address', 'del', '20.0.0.254/24', 'dev', 'br0']);
    expect(verdict).toMatchObject({ works: false, cause: 'two_owners' });
    expect(verdict.says).toContain('br0 here');
  });
});

describe('guests', () => {
  test('one that remembers another MAC than the host', async () => {
    await pair.guest1.ping(IP);
    await pair.guest1.namespace.ip([
      'neigh',
      'replace',
      IP,
      'lladdr',
      WRONG,
      'dev',
      'eth0',
      'nud',
      'permanent',
    ]);
    const found = await explain(pair, { from: pair.guest1 });
    expect(found.verdict).toMatchObject({ works: false, cause: 'guest_neighbour' });
    await follow(found);
    expect((await explain(pair, { from: pair.guest1 })).verdict.works).toBe(true);
  });
});

describe('the underlay and the directory', () => {
  test('the other host’s uplink down: its VTEP does not answer', async () => {
    const { namespace } = pair.lab.underlay;
    await namespace.ip(['link', 'set', 'h2', 'down']);
    const { verdict } = await explain(pair, { from: pair.guest1 });
    await namespace.ip(['link', 'set', 'h2', 'up']);
    expect(verdict).toMatchObject({ works: false, cause: 'vtep_unreachable' });
  });

  test('this host’s uplink down', async () => {
    await pair.host1.namespace.ip(['link', 'set', 'eth0', 'down']);
    const found = await explain(pair);
    expect(found.verdict).toMatchObject({ works: false, cause: 'underlay_down' });
    expect(found.verdict.next).toBe(`ip -n ${pair.host1.namespace.name} link set eth0 up`);
    await follow(found);
    expect((await explain(pair, { from: pair.guest1 })).verdict.works).toBe(true);
  });

  test('the directory down: the location is unknown; the entries in the kernel stay', async () => {
    await pair.guest1.ping(IP);
    await pair.redis.stop();
    try {
      await until('the daemon to notice', async () => !(await account()).directory.up);
      const standing = await explain(pair, { from: pair.guest1 });
      expect(standing.verdict).toMatchObject({ works: true, cause: 'directory_down' });
      const { verdict } = await explain(pair, { address: '20.0.0.77' });
      expect(verdict).toMatchObject({ works: false, cause: 'directory_down' });
      expect(verdict.next).toBe(`redis-cli -s ${pair.redis.socket} PING`);
    } finally {
      await pair.redis.start();
    }
  });
});

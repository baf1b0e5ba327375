/** Routed networks in Redis: hosts acquire their prefixes themselves, keep them, and publish them as leases. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseCidr } from '../../src/base/prefix.ts';
import { until } from '../../src/lab/wait.ts';
import { BEFORE_THE_RETRY } from './harness.ts';
import { JoinLab, PlainGuest } from './joining.ts';

const VNI = 200;
const LEASE = 3;
let world: JoinLab;
let guests: PlainGuest[];
const flags = (n: number): string[] => ['--host-id', `h${n}`];
const join = (n: number) => world.run(n, ['green', 'six'], flags(n));

beforeAll(async () => {
  world = await JoinLab.open(2);
  const define = [
    'network',
    'create',
    'green',
    '--vni',
    String(VNI),
    '--mode',
    'routed',
    '--subnet',
    '10.20.0.0/16',
  ];
  const made = await world.missd(...define, '--lease', String(LEASE), '--redis', world.redis.socket);
  expect(made).toMatchObject({ code: 0, stderr: '' });
  const six = ['network', 'create', 'six', '--vni', '201', '--mode', 'routed', '--subnet', 'fd20:20::/48'];
  expect(await world.missd(...six, '--redis', world.redis.socket)).toMatchObject({ code: 0 });
  await Promise.all([join(1), join(2)]);
});
afterAll(() => world.close());

const redis = (...words: string[]): Promise<string> => world.redis.cli(...words);
const prefixOf = async (n: number, name = 'green'): Promise<string> =>
  until('a prefix', async () => (await world.status(n)).find(({ network }) => network === name)?.prefix);
/** The address of a host in its prefix. */
const inside = (cidr: string, host: number): string => `${cidr.replace(/\.0\/\d+$/, '')}.${host}`;
const leaseOf = (cidr: string): Promise<string> => redis('GET', `missd:{${VNI}}:subnet:${cidr}`);
const vtepOf = async (cidr: string): Promise<string | undefined> => (await leaseOf(cidr)).split(' ')[1];
const logged = (n: number): string => world.daemon(n).program.lines.join('\n');

test('two hosts that join at once have different prefixes, and their leases', async () => {
  const prefixes = [await prefixOf(1), await prefixOf(2)];
  expect(new Set(prefixes).size).toBe(2);
  for (const [index, cidr] of prefixes.entries()) {
    expect(parseCidr(cidr)).toMatchObject({ family: 4, length: 24 });
    const [link] = await world.host(index + 1).namespace.show('link', 'show', 'dev', 'vx-green');
    await until(
      'the lease',
      async () => (await leaseOf(cidr)) === `${String(link?.['address'])} 10.99.0.${index + 1}`,
    );
    expect(await redis('HGET', `missd:{${VNI}}:prefixes`, cidr)).toMatch(new RegExp(`^host h${index + 1} `));
  }
});

test('guests of both reach each other, and nobody typed a record', async () => {
  guests = [];
  for (const n of [1, 2]) {
    const cidr = await prefixOf(n);
    const via = inside(cidr, 1);
    guests.push(await PlainGuest.plug(world.host(n), 'br-green', n, `${inside(cidr, 2)}/24`, { via }));
  }
  const [one, two] = guests;
  const pinged = await one?.ping(two?.ip ?? '');
  expect(pinged?.received).toBe(1);
  expect(pinged?.rtts[0]).toBeLessThan(BEFORE_THE_RETRY);
});

test('the same with IPv6', async () => {
  const plugged: PlainGuest[] = [];
  for (const n of [1, 2]) {
    const cidr = await prefixOf(n, 'six');
    expect(parseCidr(cidr)).toMatchObject({ family: 6, length: 64 });
    const base = cidr.replace(/\/64$/, '');
    const guest = await PlainGuest.plug(world.host(n), 'br-six', n + 2, `${base}2/64`, { via: `${base}1` });
    // Guests know their gateways: what is measured is the way between the hosts.
    expect((await guest.ping(`${base}1`)).received).toBe(1);
    plugged.push(guest);
  }
  const [one, two] = plugged;
  const pinged = await one?.ping(two?.ip ?? '');
  expect(pinged?.received).toBe(1);
  expect(pinged?.rtts[0]).toBeLessThan(BEFORE_THE_RETRY);
});

test('a host that is killed and started again has the same prefix', async () => {
  const cidr = await prefixOf(1);
  await world.daemon(1).program.kill();
  await join(1);
  expect(await prefixOf(1)).toBe(cidr);
});

test('after FLUSHALL network, prefixes and leases are back, and guests go on', async () => {
  const prefixes = [await prefixOf(1), await prefixOf(2)];
  await redis('FLUSHALL');
  const flushedAt = performance.now();
  for (const [index, cidr] of prefixes.entries())
    await until('the lease', async () => (await vtepOf(cidr)) === `10.99.0.${index + 1}`);
  expect(performance.now() - flushedAt).toBeLessThan(5000);
  expect(await redis('HGET', 'missd:networks', 'green')).toBe(String(VNI));
  for (const [index, cidr] of prefixes.entries()) expect(await prefixOf(index + 1)).toBe(cidr);
  const [one, two] = guests;
  expect((await one?.ping(two?.ip ?? ''))?.received).toBe(1);
});

test('a lease that is deleted by hand is back within a second; one that is overwritten stays', async () => {
  const cidr = await prefixOf(1);
  const lease = await leaseOf(cidr);
  await redis('DEL', `missd:{${VNI}}:subnet:${cidr}`);
  await until('the lease', async () => (await leaseOf(cidr)) === lease, { timeout: 1500 });
  await redis('SET', `missd:{${VNI}}:subnet:${cidr}`, '02:00:00:00:00:99 10.99.0.9');
  await until('the report', () => logged(1).includes('a record was written by hand and is left as it is'));
  expect(await leaseOf(cidr)).toBe('02:00:00:00:00:99 10.99.0.9');
  await redis('DEL', `missd:{${VNI}}:subnet:${cidr}`);
  await until('the lease', async () => (await leaseOf(cidr)) === lease);
});

describe('two hosts with one prefix', () => {
  test('the later one gives it up, says so, and has another', async () => {
    const [own, other] = [await prefixOf(1), await prefixOf(2)];
    // As after a failover that lost an assignment: h2 had the prefix of h1 before h1 had it.
    await redis('HSET', `missd:{${VNI}}:prefixes`, own, 'host h2 1 1');
    await redis('DEL', `missd:{${VNI}}:subnet:${own}`);
    await until('another prefix', async () => {
      const now = await prefixOf(1);
      return now !== own && now !== other;
    });
    expect(logged(1)).toContain(
      `prefix ${own} is that of host h2; this host gives it up and acquires another`,
    );
    expect(await world.daemon(1).metric('missd_prefixes_total', { event: 'yielded' })).toBe(1);
    const cidr = await prefixOf(1);
    await until('the lease', async () => (await vtepOf(cidr)) === '10.99.0.1');
    await redis('HDEL', `missd:{${VNI}}:prefixes`, own);
  });
});

test('the lease record of a host that is gone vanishes, and the assignment stays', async () => {
  const cidr = await prefixOf(2);
  await world.daemon(2).program.kill();
  await until('the lease to be removed', async () => (await leaseOf(cidr)) === '', { timeout: 15_000 });
  expect(await redis('HGET', `missd:{${VNI}}:prefixes`, cidr)).toMatch(/^host h2 /);
  await join(2);
  expect(await prefixOf(2)).toBe(cidr);
  await until('the lease', async () => (await vtepOf(cidr)) === '10.99.0.2');
});

test('a host that leaves gives its prefix back, and the network can be removed when all have left', async () => {
  const rm = () => world.missd('network', 'rm', 'green', '--redis', world.redis.socket);
  expect(await rm()).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('is in use by h1, h2') as string,
  });
  for (const n of [1, 2]) {
    const cidr = await prefixOf(n);
    const where = ['--netns', world.host(n).namespace.name, '--state-dir', world.stateDir(n)];
    expect(await world.missd('leave', 'green', ...where, '--redis', world.redis.socket)).toMatchObject({
      code: 0,
    });
    expect(await leaseOf(cidr)).toBe('');
    expect(await redis('HGET', `missd:{${VNI}}:prefixes`, cidr)).toBe('');
  }
  expect(await rm()).toMatchObject({ code: 0, stderr: '' });
  expect(await redis('KEYS', `missd:{${VNI}}:*`)).toBe('');
});

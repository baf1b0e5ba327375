/** Guests publish themselves: hosts that join a network, guests that are plugged in, and no record typed. */
import { afterEach, expect, test, vi } from 'vitest';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Explanation } from '../../src/explain/explain.ts';
import { until } from '../../src/lab/wait.ts';
import { Traffic } from '../faults/traffic.ts';
import { JoinLab, PlainGuest } from './joining.ts';

let lab: JoinLab | undefined;
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail' && lab !== undefined) {
    for (const daemon of lab.daemons.values()) console.error(daemon.log.slice(-40).join('\n'));
    console.error(await lab.redis.cli('--scan').catch(String));
  }
  await lab?.close();
  lab = undefined;
});

const VNI = 100;
const BRIDGE = 'br-blue';
/** Seconds. */
const LEASE = 2;
const TWO = '20.0.0.2';

async function open(hosts: number, { redis = [] }: { redis?: string[] } = {}): Promise<JoinLab> {
  const made = await JoinLab.open(hosts, {}, redis);
  lab = made;
  await made.network('blue', VNI, { publish: 'learned', lease: LEASE });
  for (let n = 1; n <= hosts; n += 1) await made.run(n, ['blue']);
  return made;
}

const plug = (blue: JoinLab, host: number, n: number, ip = `20.0.0.${n}`): Promise<PlainGuest> =>
  PlainGuest.plug(blue.host(host), BRIDGE, n, `${ip}/24`);
const record = (blue: JoinLab, ip: string): Promise<string> =>
  blue.redis.cli('GET', `missd:{${VNI}}:ip:${ip}`).catch(() => '');
const value = (guest: PlainGuest, host: number): string => `${guest.mac} 10.99.0.${host}`;
// Until a guest has its records most of a minute may pass.
vi.setConfig({ testTimeout: 120_000 });

const published = (blue: JoinLab, guest: PlainGuest, host: number, timeout = 10_000): Promise<boolean> =>
  until(
    `${guest.ip} to be published by host ${host}`,
    async () => (await record(blue, guest.ip)) === value(guest, host),
    {
      timeout,
    },
  );
const metric = (
  blue: JoinLab,
  host: number,
  name: string,
  labels?: Record<string, string>,
): Promise<number> => blue.daemon(host).metric(name, labels);
/** Whether the kernel of a host has a neighbour for an address. */
async function holds(blue: JoinLab, host: number, ip: string): Promise<boolean> {
  const argv = ['ip', 'neigh', 'show', 'dev', 'vx-blue', 'to', ip];
  return (await blue.host(host).namespace.attempt(argv)).stdout.includes('extern_learn');
}

/** What `missd explain` says on a host. @param redis URL, by default the server's socket */
async function explained(
  blue: JoinLab,
  host: number,
  ip: string,
  redis = blue.redis.socket,
): Promise<Explanation & { owners: string[] }> {
  const listen = ['--listen', new URL(blue.daemon(host).url).host];
  const where = ['--netns', blue.host(host).namespace.name, '--redis', redis, ...listen];
  const { stdout, stderr } = await blue.missd('explain', String(VNI), ip, ...where, '--json');
  if (stdout === '') throw new Error(stderr);
  const [explanation] = JSON.parse(stdout) as Explanation[];
  if (explanation === undefined) throw new Error('nothing was explained');
  const owners = explanation.findings.flatMap(({ stage, text }) => (stage === 'owner' ? [text] : []));
  return { ...explanation, owners };
}

/** Two hosts with a guest each, published and reached. */
async function pair(
  options: { redis?: string[] } = {},
): Promise<{ blue: JoinLab; a: PlainGuest; b: PlainGuest }> {
  const blue = await open(2, options);
  const a = await plug(blue, 1, 1);
  const b = await plug(blue, 2, 2);
  // A Linux guest does not announce its IPv4 address: missd asks for it, up to five times within 45 s.
  await published(blue, a, 1, 50_000);
  await published(blue, b, 2, 50_000);
  return { blue, a, b };
}

/** By default for longer than it takes to find and reap a host without a lease. @param leases how long */
async function staysPublished(blue: JoinLab, a: PlainGuest, b: PlainGuest, leases = 3): Promise<void> {
  const end = performance.now() + leases * LEASE * 1_000;
  while (performance.now() < end) {
    expect(await record(blue, a.ip)).toBe(value(a, 1));
    expect(await record(blue, b.ip)).toBe(value(b, 2));
    await sleep(50);
  }
}

test('two hosts from nothing: guests that were plugged in reach each other, and no record was typed', async () => {
  const { a, b } = await pair();
  expect((await a.ping(b.ip)).received).toBe(1);
});

test('explain names the owner, and on its host what the guest was learned from; a record set by hand has none', async () => {
  const { blue, a, b } = await pair();
  await a.ping(b.ip);
  const there = await explained(blue, 1, b.ip);
  expect(there.owners).toEqual([
    expect.stringMatching(/^host 10\.99\.0\.2, learned, epoch 1; its lease ends in [\d.]+ s unless renewed$/),
  ]);
  expect(there.owner?.companion).toMatchObject({ host: '10.99.0.2', kind: 'learned', ips: [b.ip] });
  expect((await explained(blue, 2, b.ip)).owners[1]).toBe(
    `${b.mac} on port p2 of this host has ${b.ip}, learned from ARP, published`,
  );
  const rights = '+ping +getrange +scan +sscan +pttl +client';
  await blue.redis.cli('ACL', 'SETUSER', 'reader', 'on', 'nopass', '~missd:*', ...rights.split(' '));
  const few = await explained(blue, 1, b.ip, `unix://reader:x@${blue.redis.socket}`);
  expect(few.owners).toEqual(['not permitted: the Redis user may not read owners and leases']);
  expect(few.verdict.works).toBe(true);
  await blue.redis.cli('SET', `missd:{${VNI}}:ip:${b.ip}`, `02:99:00:00:00:77 10.99.0.2`);
  expect((await explained(blue, 1, b.ip)).owners).toEqual([
    `typed by hand: no host of network blue has published ${b.ip}`,
  ]);
});

test('explain names an owner whose lease has ended, while its records remain', async () => {
  const { blue, a, b } = await pair();
  await a.ping(b.ip);
  // Nobody reaps.
  blue.daemon(1).program.signal('SIGSTOP');
  await blue.daemon(2).kill();
  await until(
    'the lease to end',
    async () => (await blue.redis.cli('EXISTS', `missd:{${VNI}}:host:10.99.0.2`)) === '0',
  );
  const { verdict } = await explained(blue, 1, b.ip);
  blue.daemon(1).program.signal('SIGCONT');
  expect(verdict).toMatchObject({ works: true, cause: 'owner_ended' });
});

test('a guest that is unplugged is withdrawn at once, everywhere', async () => {
  const { blue, a, b } = await pair();
  await a.ping(b.ip);
  expect(await holds(blue, 1, b.ip)).toBe(true);
  await blue.host(2).namespace.ip(['link', 'del', 'p2']);
  await until('the record to go', async () => (await record(blue, b.ip)) === '', { timeout: 1_000 });
  await until('the entry to go', async () => !(await holds(blue, 1, b.ip)), { timeout: 1_000 });
});

test('records of a daemon that was killed stay for its lease, then vanish everywhere, and return with it', async () => {
  const { blue, a, b } = await pair();
  await a.ping(b.ip);
  await blue.daemon(2).kill();
  const killed = performance.now();
  await until(
    'the lease to end',
    async () => (await blue.redis.cli('EXISTS', `missd:{${VNI}}:host:10.99.0.2`)) === '0',
  );
  expect(performance.now() - killed).toBeGreaterThan((LEASE * 1000) / 2);
  expect(await record(blue, b.ip)).toBe(value(b, 2));
  expect((await a.ping(b.ip)).received).toBe(1);
  await until('the record to go', async () => (await record(blue, b.ip)) === '');
  await until('the entry to go', async () => !(await holds(blue, 1, b.ip)));
  expect(await record(blue, a.ip)).toBe(value(a, 1));
  await blue.run(2, ['blue']);
  await published(blue, b, 2, 3_000);
  await until('a ping', async () => (await a.ping(b.ip)).received === 1);
});

test('a daemon that is restarted within its lease keeps what it published, also of a guest that is silent', async () => {
  const { blue, a, b } = await pair();
  await a.ping(b.ip);
  const traffic = await Traffic.start(blue.lab, a.namespace, b.ip);
  await blue.daemon(2).kill();
  await blue.run(2, ['blue']);
  await sleep(LEASE * 1000);
  expect(await record(blue, b.ip)).toBe(value(b, 2));
  expect((await traffic.stop()).lost).toBe(0);
});

test('a Redis that stands still for longer than every lease costs nobody a record', async () => {
  const { blue, a, b } = await pair();
  await a.ping(b.ip);
  blue.redis.signal('SIGSTOP');
  await sleep(LEASE * 2_000);
  const traffic = await Traffic.start(blue.lab, a.namespace, b.ip);
  // The second host returns late, but within a lease: until then the first one finds it without a lease.
  blue.daemon(2).program.signal('SIGSTOP');
  blue.redis.signal('SIGCONT');
  await staysPublished(blue, a, b, 0.9);
  blue.daemon(2).program.signal('SIGCONT');
  await staysPublished(blue, a, b);
  expect((await traffic.stop()).lost).toBe(0);
  for (const host of [1, 2])
    expect(await metric(blue, host, 'missd_publications_total', { action: 'reaped' })).toBe(0);
});

test('nor does one that was killed and restarted from its AOF, with leases that have ended', async () => {
  const { blue, a, b } = await pair({ redis: ['--appendonly', 'yes', '--appendfsync', 'always'] });
  await a.ping(b.ip);
  await blue.redis.kill();
  await sleep(LEASE * 2_000);
  blue.daemon(2).program.signal('SIGSTOP');
  await blue.redis.start();
  await staysPublished(blue, a, b, 0.9);
  blue.daemon(2).program.signal('SIGCONT');
  await staysPublished(blue, a, b);
  for (const host of [1, 2])
    expect(await metric(blue, host, 'missd_publications_total', { action: 'reaped' })).toBe(0);
});

test('after FLUSHALL under traffic every record is back within 5 s, and no packet is lost', async () => {
  const { blue, a, b } = await pair();
  const traffic = await Traffic.start(blue.lab, a.namespace, b.ip);
  await blue.redis.cli('FLUSHALL');
  await published(blue, a, 1, 5_000);
  await published(blue, b, 2, 5_000);
  await traffic.flows();
  await sleep(LEASE * 1_000);
  expect((await traffic.stop()).lost).toBe(0);
});

test('a record that is removed by hand is put back, one that is set by hand is left', async () => {
  const { blue, b } = await pair();
  const key = `missd:{${VNI}}:ip:${TWO}`;
  await blue.redis.cli('DEL', key);
  await published(blue, b, 2, 1_500);
  const missd = ['endpoint', '--redis', blue.redis.socket];
  expect(
    (await blue.missd(...missd.slice(0, 1), 'rm', '--redis', blue.redis.socket, String(VNI), TWO)).code,
  ).toBe(0);
  await published(blue, b, 2, 1_500);
  const other = '02:99:00:00:00:77 10.99.0.1';
  await blue.redis.cli('SET', key, other);
  await until(
    'it to be reported',
    async () => (await metric(blue, 2, 'missd_not_published_total', { reason: 'manual' })) === 1,
  );
  expect(await record(blue, TWO)).toBe(other);
});

test('a daemon cut off for longer than its lease loses its records, and is back within a second of its return', async () => {
  const { blue, a, b } = await pair();
  blue.daemon(2).program.signal('SIGSTOP');
  await until('the record to go', async () => (await record(blue, b.ip)) === '');
  expect(await record(blue, a.ip)).toBe(value(a, 1));
  blue.daemon(2).program.signal('SIGCONT');
  await published(blue, b, 2, 1_500);
});

test('a guest that moves to another host is published there, with its addresses', async () => {
  const { blue, a, b } = await pair();
  await a.ping(b.ip);
  // The same MAC and address, as a virtual machine that migrates has, and the old port lives on.
  const here = await PlainGuest.plug(blue.host(1), BRIDGE, 3, '20.0.0.2/24');
  await here.namespace.ip(['link', 'set', 'eth0', 'address', b.mac]);
  await b.namespace.ip(['link', 'set', 'eth0', 'down']);
  await here.namespace.attempt(['arping', '-U', '-c', '1', '-I', 'eth0', TWO]);
  await until('the move', async () => (await record(blue, TWO)) === `${b.mac} 10.99.0.1`);
});

test('an address that another guest has is refused while that one answers, and handed over when it does not', async () => {
  const { blue, b } = await pair();
  const thief = await plug(blue, 1, 3, TWO);
  await thief.namespace.attempt(['arping', '-U', '-c', '1', '-I', 'eth0', TWO]);
  await until(
    'the claim to be refused',
    async () => (await metric(blue, 1, 'missd_claims_total', { result: 'refused' })) >= 1,
  );
  expect(await record(blue, TWO)).toBe(value(b, 2));
  expect(blue.daemon(1).log.join('\n')).toMatch(
    /20\.0\.0\.2 of 02:99:00:00:00:03 is the address of 02:99:00:00:00:02 on host 10\.99\.0\.2/,
  );
  expect(blue.daemon(2).log.join('\n')).toMatch(
    /20\.0\.0\.2 of 02:99:00:00:00:02 is claimed by 02:99:00:00:00:03 on host 10\.99\.0\.1/,
  );
  for (const host of [1, 2]) {
    const { verdict } = await explained(blue, host, TWO);
    expect(verdict).toMatchObject({ cause: 'duplicate_address' });
    expect(verdict.says).toContain(
      `${TWO} is the address of two guests: ${b.mac} on host 10.99.0.2 keeps it, ${thief.mac} on host 10.99.0.1 is refused`,
    );
  }
  await b.namespace.ip(['address', 'del', '20.0.0.2/24', 'dev', 'eth0']);
  await until('the hand-over', async () => (await record(blue, TWO)) === value(thief, 1), {
    timeout: 20_000,
  });
});

test('two hosts of a routed network acquire prefixes, publish them, keep them through kill -9 and put them back', async () => {
  const flat = await JoinLab.open(2);
  lab = flat;
  await flat.network('flat', 7, { mode: 'routed', subnet: '10.20.0.0/16', leaseLength: 24, lease: LEASE });
  await Promise.all([flat.run(1, ['flat']), flat.run(2, ['flat'])]);
  const prefixes = async (): Promise<string[]> =>
    Promise.all([1, 2].map(async (n) => (await flat.status(n))[0]?.prefix ?? ''));
  const before = await prefixes();
  expect(new Set(before).size).toBe(2);
  const leases = (): Promise<string> => flat.redis.cli('SMEMBERS', 'missd:{7}:subnets');
  await until(
    'both leases',
    async () => (await leases()).split('\n').toSorted().join() === before.toSorted().join(),
  );
  await flat.daemon(2).kill();
  await flat.run(2, ['flat']);
  expect(await prefixes()).toEqual(before);
  await flat.redis.cli('FLUSHALL');
  await until(
    'both leases',
    async () => (await leases()).split('\n').toSorted().join() === before.toSorted().join(),
  );
  expect(await prefixes()).toEqual(before);
});

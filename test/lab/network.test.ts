/** `missd network` against a real redis-server. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { endpointCommand } from '../../src/cli/endpoint.ts';
import { networkCommand } from '../../src/cli/network.ts';
import { makeNetwork } from '../../src/directory/network-schema.ts';
import { createNetwork } from '../../src/directory/redis/network-writes.ts';
import { RedisDirectory } from '../../src/directory/redis/redis-directory.ts';
import { parseRedisUrl } from '../../src/directory/redis/url.ts';
import { RedisWriter } from '../../src/directory/redis/writer.ts';
import { scanRecorded } from '../../src/doctor/recorded.ts';
import { attempt } from '../../src/lab/command.ts';
import { MISSD } from '../../src/lab/daemon.ts';
import { type RedisServer, startRedis } from './redis-server.ts';

let server: RedisServer;
let dir: string;
beforeAll(async () => {
  server = await startRedis();
  dir = mkdtempSync(join(tmpdir(), 'missd-cli-'));
});
afterAll(async () => {
  await server.kill();
  rmSync(dir, { recursive: true });
});
beforeEach(async () => {
  await server.cli('FLUSHALL');
});
afterEach(() => {
  vi.restoreAllMocks();
});

async function run(command: Command, [verb = '', ...rest]: string[]): Promise<string> {
  let out = '';
  const keep = (text: unknown): boolean => {
    out += String(text);
    return true;
  };
  vi.spyOn(process.stdout, 'write').mockImplementation(keep);
  vi.spyOn(process.stderr, 'write').mockImplementation(() => true);
  for (const one of [command, ...command.commands]) one.exitOverride();
  try {
    await command.parseAsync([verb, '--redis', server.url, ...rest], { from: 'user' });
    return out;
  } finally {
    vi.restoreAllMocks();
  }
}
const network = (...args: string[]): Promise<string> => run(networkCommand(), args);
const endpoint = (...args: string[]): Promise<string> => run(endpointCommand(), args);
const json = async (ran: Promise<string>): Promise<unknown> => JSON.parse(await ran) as unknown;
const keys = async (): Promise<string[]> =>
  (await server.cli('KEYS', '*')).split('\n').filter(Boolean).sort();

const BLUE = ['--vni', '100', '--mode', 'bridged', '--subnet', '20.0.0.0/16'];
const GREEN = ['--vni', '200', '--mode', 'routed', '--subnet', '10.20.0.0/16'];
const DEFINED = { port: 4789, mtu: 'auto', publish: 'learned', lease: 30, portsLimit: 64, anycast: [] };
const MAC = '02:42:14:00:00:02';

/** What a daemon finds by the name. */
async function lookUp(name: string): Promise<number | undefined> {
  const directory = new RedisDirectory({ target: parseRedisUrl(server.url) });
  directory.start();
  try {
    return await vi.waitFor(async () => (await directory.network(name))?.vni);
  } finally {
    await directory.close();
  }
}

describe('network create', () => {
  it('writes the record and the index', async () => {
    const made = {
      name: 'blue',
      vni: 100,
      mode: 'bridged',
      subnet: '20.0.0.0/16',
      leaseLength: 24,
      ...DEFINED,
    };
    expect(await json(network('create', 'blue', ...BLUE, '--json'))).toEqual(made);
    expect(JSON.parse(await server.cli('GET', 'missd:{100}:network'))).toEqual(made);
    expect(await server.cli('HGETALL', 'missd:networks')).toBe('blue\n100');
    expect(await lookUp('blue')).toBe(100);
  });

  it('takes every option, in canonical form', async () => {
    const more = ['--subnet6', 'FD20::/48', '--gateway', 'FD20::1', '--mtu', '1400', '--port', '8472'];
    const others = [
      '--publish',
      'none',
      '--lease',
      '2.5',
      '--ports-limit',
      '8',
      '--anycast',
      '20.0.0.9,20.0.0.10',
    ];
    expect(await json(network('create', 'blue', ...BLUE, ...more, ...others, '--json'))).toMatchObject({
      ...{ subnet6: 'fd20::/48', gateway: 'fd20::1', mtu: 1400, port: 8472, publish: 'none', lease: 2.5 },
      ...{ portsLimit: 8, anycast: ['20.0.0.9', '20.0.0.10'] },
    });
  });

  it('takes no name and no VNI twice', async () => {
    await network('create', 'blue', ...BLUE);
    await expect(network('create', 'blue', ...GREEN)).rejects.toThrow(
      'network blue exists already, with VNI 100',
    );
    await expect(network('create', 'red', ...BLUE)).rejects.toThrow('VNI 100 is taken by network blue');
    await server.cli('SET', 'missd:{101}:network', 'nonsense');
    await expect(
      network('create', 'red', '--vni', '101', '--mode', 'bridged', '--subnet', '20.0.0.0/16'),
    ).rejects.toThrow('VNI 101 is taken by a malformed network');
    expect(await keys()).toEqual(['missd:networks', 'missd:{100}:network', 'missd:{101}:network']);
  });

  it.each([
    ['one VNI', (at: number) => ({ name: `n${at}`, vni: 100 })],
    ['one name', (at: number) => ({ name: 'blue', vni: 100 + at })],
  ])('of twenty at once with %s succeeds once', async (_, of) => {
    const made = await Promise.allSettled(
      Array.from({ length: 20 }, async (_none, at) => {
        const one = makeNetwork({ ...of(at), mode: 'bridged', subnet: '20.0.0.0/16' });
        await RedisWriter.use(parseRedisUrl(server.url), 'missd', (redis) => createNetwork(redis, one));
        return one;
      }),
    );
    const winners = made.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(winners).toHaveLength(1);
    for (const one of made)
      if (one.status === 'rejected') expect(String(one.reason)).toMatch(/exists already|is taken by/);
    const { name = '', vni = 0 } = winners[0] ?? {};
    expect(await keys()).toEqual(['missd:networks', `missd:{${vni}}:network`]);
    expect(await server.cli('HGETALL', 'missd:networks')).toBe(`${name}\n${vni}`);
  });

  it('ends with 2 for wrong usage and 1 for a network that is there, and one line', async () => {
    const missd = (...words: string[]) =>
      attempt([MISSD, 'network', 'create', 'blue', '--redis', server.url, ...words]);
    const outside = await missd(...BLUE, '--gateway', '30.0.0.1');
    expect(outside).toMatchObject({
      ...{ code: 2, stdout: '' },
      stderr: 'missd: network blue: gateway 30.0.0.1 is outside 20.0.0.0/16\n',
    });
    expect(await missd('--vni', '100', '--mode', 'bridged')).toMatchObject({ code: 2 });
    expect(await missd(...BLUE, '--lease-length', '24')).toMatchObject({ code: 2 });
    expect(await missd(...BLUE)).toMatchObject({ code: 0, stderr: '' });
    expect(await missd(...BLUE)).toMatchObject({
      ...{ code: 1, stdout: '' },
      stderr: 'missd: network blue exists already, with VNI 100\n',
    });
  });
});

describe('the index of networks', () => {
  it('is repaired by a look at a name', async () => {
    await network('create', 'blue', ...BLUE);
    for (const wrong of [
      ['DEL', 'missd:networks'],
      ['HSET', 'missd:networks', 'blue', '300'],
    ]) {
      await server.cli(...wrong);
      expect(await lookUp('blue')).toBe(100);
      expect(await server.cli('HGET', 'missd:networks', 'blue')).toBe('100');
    }
    await server.cli('HSET', 'missd:networks', 'red', '100');
    expect(await lookUp('red')).toBeUndefined();
    expect(await server.cli('HGETALL', 'missd:networks')).toBe('blue\n100');
  });

  it('is repaired by ls', async () => {
    await network('create', 'blue', ...BLUE);
    await network('create', 'green', ...GREEN);
    await server.cli('HDEL', 'missd:networks', 'green');
    await server.cli('HSET', 'missd:networks', 'blue', '200', 'red', '100', 'grey', 'x');
    await network('ls');
    const index = (await server.cli('HGETALL', 'missd:networks')).split('\n');
    expect(new Set(index)).toEqual(new Set(['blue', '100', 'green', '200']));
  });

  it('does not keep a new network from a name that a removed one left behind', async () => {
    await server.cli('HSET', 'missd:networks', 'blue', '300');
    await network('create', 'blue', ...BLUE);
    expect(await server.cli('HGET', 'missd:networks', 'blue')).toBe('100');
  });
});

/** As a host leaves them: its lease, its companion and records, and its prefix. */
async function joined(vni: number, id: string): Promise<void> {
  await server.batch(
    `SET missd:{${vni}}:host:${id} "0123456789ab 1 10.99.0.2" PX 60000`,
    `HSET missd:{${vni}}:hosts ${id} 0123456789ab`,
    `HSET missd:{${vni}}:owner:${MAC} host ${id} vtep 10.99.0.2 mac 1 ip:20.0.0.2 1 ip:20.0.0.3 1`,
    `SADD missd:{${vni}}:owned:${id} ${MAC}`,
    `SET missd:{${vni}}:mac:${MAC} 10.99.0.2`,
    `SET missd:{${vni}}:ip:20.0.0.2 "${MAC} 10.99.0.2"`,
    `SET missd:{${vni}}:ip:20.0.0.3 "${MAC} 10.99.0.9"`,
    `HSET missd:{${vni}}:prefixes 10.20.7.0/24 "host ${id} 1 2" "record 10.20.7.0/24" "${MAC} 10.99.0.2"`,
    `SET missd:{${vni}}:subnet:10.20.7.0/24 "${MAC} 10.99.0.2"`,
    `SADD missd:{${vni}}:subnets 10.20.7.0/24`,
  );
}

describe('network ls and show', () => {
  it('tell what is there, and what is malformed', async () => {
    await network('create', 'blue', ...BLUE);
    await network('create', 'green', ...GREEN);
    await server.cli('SET', 'missd:{300}:network', '{"name":"red"}');
    await joined(200, 'host-b');
    expect(await json(network('ls', '--json'))).toMatchObject([
      { name: 'blue', vni: 100, hosts: 0 },
      { name: 'green', vni: 200, hosts: 1 },
      { vni: 300, name: 'red', malformed: expect.stringMatching(/^the network of VNI 300: vni: /) as string },
    ]);
    expect(await network('ls')).toMatch(/^NAME .*\nblue .*\ngreen .*\nred /);
    await network('reserve', 'green', '10.20.9.0/24', '--for', 'host-c');
    expect(await json(network('show', 'green', '--json'))).toMatchObject({
      ...{ name: 'green', leaseLength: 24 },
      hosts: [{ id: 'host-b', vtep: '10.99.0.2', remaining: expect.closeTo(60, -1) as number }],
      prefixes: [
        { cidr: '10.20.7.0/24', host: 'host-b', since: 1, seen: 2 },
        { cidr: '10.20.9.0/24', reserved: 'host-c' },
      ],
    });
    const text = await network('show', 'green');
    expect(text).toMatch(/^network +green\n/);
    expect(text).toMatch(/10\.20\.9\.0\/24 +reserved for host-c/);
    await expect(network('show', 'yellow')).rejects.toThrow('there is no network yellow');
    await expect(network('show', 'red')).rejects.toThrow('the network of VNI 300: vni: ');
  });
});

it('doctor knows the keys of networks', async () => {
  await network('create', 'green', ...GREEN);
  await joined(200, 'host-b');
  const recorded = await RedisWriter.use(parseRedisUrl(server.url), 'missd', (redis) =>
    scanRecorded(redis, 'missd'),
  );
  expect(recorded.strange).toEqual([]);
});

describe('network rm', () => {
  it('is refused while a host is joined', async () => {
    await network('create', 'blue', ...BLUE);
    await joined(100, 'host-b');
    await expect(network('rm', 'blue')).rejects.toThrow('network blue is in use by host-b');
    expect(await lookUp('blue')).toBe(100);
  });

  it('removes what ended hosts left, and nothing that was written by hand', async () => {
    await network('create', 'blue', ...BLUE);
    await joined(100, 'host-b');
    await server.cli('DEL', 'missd:{100}:host:host-b');
    await endpoint('set', '100', '20.0.0.7', '02:42:14:00:00:07', '10.99.0.7');
    expect(await json(network('rm', 'blue', '--json'))).toEqual({ name: 'blue', vni: 100, records: 3 });
    expect(await keys()).toEqual([
      'missd:{100}:ip:20.0.0.3',
      'missd:{100}:ip:20.0.0.7',
      'missd:{100}:mac:02:42:14:00:00:07',
    ]);
    await expect(network('rm', 'blue')).rejects.toThrow('there is no network blue');
  });
});

describe('network reserve', () => {
  it('keeps a prefix, once, until it is given back', async () => {
    await network('create', 'green', ...GREEN);
    await network('reserve', 'green', '10.20.9.0/24');
    expect(await server.cli('HGETALL', 'missd:{200}:prefixes')).toBe('10.20.9.0/24\nreserved');
    await expect(network('reserve', 'green', '10.20.9.0/24')).rejects.toThrow(
      '10.20.9.0/24 is reserved already',
    );
    await expect(network('reserve', 'green', '10.20.9.0/25')).rejects.toThrow(
      'prefix 10.20.9.0/25 is not a /24 of 10.20.0.0/16',
    );
    await network('unreserve', 'green', '10.20.9.0/24');
    await expect(network('unreserve', 'green', '10.20.9.0/24')).rejects.toThrow(
      '10.20.9.0/24 is not reserved',
    );
  });

  it('takes a prefix from no host that is joined, and from one that has ended by unreserve', async () => {
    await network('create', 'green', ...GREEN);
    await joined(200, 'host-b');
    await expect(network('reserve', 'green', '10.20.7.0/24')).rejects.toThrow('is assigned to host host-b');
    await expect(network('unreserve', 'green', '10.20.7.0/24')).rejects.toThrow('host-b, which is joined');
    await server.cli('DEL', 'missd:{200}:host:host-b');
    await network('unreserve', 'green', '10.20.7.0/24');
    expect(await keys()).not.toContain('missd:{200}:subnet:10.20.7.0/24');
    expect(await keys()).not.toContain('missd:{200}:prefixes');
  });
});

describe('endpoint import and export', () => {
  const file = (text: string): string => {
    const path = join(dir, 'networks.yaml');
    writeFileSync(path, text);
    return path;
  };

  it('carry networks and reservations, and neither leases nor owners', async () => {
    await network('create', 'blue', ...BLUE, '--gateway', '20.0.0.1', '--publish', 'none');
    await network('create', 'green', ...GREEN);
    await network('reserve', 'green', '10.20.9.0/24', '--for', 'host-c');
    await server.batch(
      'SET missd:{200}:host:host-b "0123456789ab 1 10.99.0.2" PX 60000',
      'HSET missd:{200}:hosts host-b 0123456789ab',
      'HSET missd:{200}:prefixes 10.20.7.0/24 "host host-b 1 2"',
    );
    const exported = await endpoint('export');
    expect(exported).not.toContain('host-b');
    const listed = await network('ls', '--json');
    await server.cli('FLUSHALL');
    expect(await endpoint('import', file(exported))).toMatch(/^2 networks created, 0 endpoints/);
    expect(await endpoint('export')).toBe(exported);
    expect(JSON.parse(await network('ls', '--json'))).toMatchObject([
      { ...(JSON.parse(listed) as object[])[0] },
      { ...(JSON.parse(listed) as object[])[1], hosts: 0 },
    ]);
    expect(await endpoint('import', file(exported), '--replace')).toMatch(/^0 endpoints/);
  });

  it('do not change a network, and write nothing then', async () => {
    await network('create', 'blue', ...BLUE);
    const other = (await endpoint('export')).replace('20.0.0.0/16', '20.0.0.0/15');
    const more = `${other.replace('vnis: {}', '')}vnis: { 300: { vteps: [10.99.0.1] } }`;
    await expect(endpoint('import', file(more))).rejects.toThrow(
      'network blue is there with another definition',
    );
    expect(await keys()).toEqual(['missd:networks', 'missd:{100}:network']);
    await expect(endpoint('import', file(other.replace('vni: 100', 'vni: 101')))).rejects.toThrow(
      'network blue with VNI 101 cannot be created: there is network blue with VNI 100',
    );
  });
});

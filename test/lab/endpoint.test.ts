import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { endpointCommand } from '../../src/cli/endpoint.ts';
import { subnetCommand } from '../../src/cli/subnet.ts';
import { freePort, type RedisServer, startRedis } from './redis-server.ts';

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

interface Ran {
  out: string;
  err: string;
}

async function run(command: Command, args: string[], url: string): Promise<Ran> {
  const ran: Ran = { out: '', err: '' };
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    ran.out += String(text);
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    ran.err += String(text);
    return true;
  });
  for (const one of [command, ...command.commands]) one.exitOverride();
  try {
    const [verb = '', ...rest] = args;
    await command.parseAsync([verb, '--redis', url, ...rest], { from: 'user' });
    return ran;
  } finally {
    vi.restoreAllMocks();
  }
}
const endpoint = (...args: string[]): Promise<Ran> => run(endpointCommand(), args, server.url);
const subnet = (...args: string[]): Promise<Ran> => run(subnetCommand(), args, server.url);
const json = async (ran: Promise<Ran>): Promise<unknown> => JSON.parse((await ran).out) as unknown;
const keys = async (): Promise<string[]> =>
  (await server.cli('KEYS', '*')).split('\n').filter(Boolean).sort();
const get = (key: string): Promise<string> => server.cli('GET', key);

const MAC = '02:42:14:00:00:02';
const OTHER = '02:42:14:00:00:03';

describe('endpoint set', () => {
  it('writes both keys, in canonical form whatever was typed', async () => {
    const said = await json(
      endpoint('set', '100', '2001:DB8:0::1', '02-42-14-00-00-0A', '2001:DB8::2', '--router', '--json'),
    );
    expect(said).toEqual({
      vni: 100,
      ip: '2001:db8::1',
      mac: '02:42:14:00:00:0a',
      vtep: '2001:db8::2',
      router: true,
    });
    expect(await get('missd:{100}:ip:2001:db8::1')).toBe('02:42:14:00:00:0a 2001:db8::2 router');
    expect(await get('missd:{100}:mac:02:42:14:00:00:0a')).toBe('2001:db8::2');
  });

  it('gives both keys their lifetime, and takes it away again', async () => {
    await endpoint('set', '100', '20.0.0.2', MAC, '10.99.0.2', '--ttl', '300');
    for (const key of await keys()) expect(Number(await server.cli('TTL', key))).toBeGreaterThan(290);
    await endpoint('set', '100', '20.0.0.2', MAC, '10.99.0.2');
    for (const key of await keys()) expect(await server.cli('TTL', key)).toBe('-1');
  });

  it('removes the mac: record of a MAC that nobody has any more, and of no other', async () => {
    await endpoint('set', '100', '20.0.0.2', MAC, '10.99.0.2');
    await endpoint('set', '100', '20.0.0.3', MAC, '10.99.0.2');
    await endpoint('set', '200', '20.0.0.2', MAC, '10.99.0.2');
    await endpoint('set', '100', '20.0.0.2', OTHER, '10.99.0.2');
    expect(await get(`missd:{100}:mac:${MAC}`)).toBe('10.99.0.2');
    await endpoint('set', '100', '20.0.0.3', OTHER, '10.99.0.2');
    expect(await get(`missd:{100}:mac:${MAC}`)).toBe('');
    expect(await get(`missd:{200}:mac:${MAC}`)).toBe('10.99.0.2');
  });

  it.each([
    [['0', '20.0.0.2', MAC, '10.99.0.2']],
    [['16777216', '20.0.0.2', MAC, '10.99.0.2']],
    [['100', '224.0.0.1', MAC, '10.99.0.2']],
    [['100', '20.0.0.2', '01:00:5e:00:00:01', '10.99.0.2']],
    [['100', '20.0.0.2', MAC, '127.0.0.1']],
    [['100', '20.0.0.2', MAC, 'host']],
    [['100', '20.0.0.2', MAC, '10.99.0.2', '--ttl', '0']],
    [['100', '20.0.0.2', MAC]],
  ])('refuses %j', async (args) => {
    await expect(endpoint('set', ...args)).rejects.toHaveProperty('name', 'CommanderError');
    expect(await keys()).toEqual([]);
  });
});

describe('endpoint rm', () => {
  it('keeps the mac: record while another IP uses it', async () => {
    await endpoint('set', '100', '20.0.0.2', MAC, '10.99.0.2');
    await endpoint('set', '100', '20.0.0.3', MAC, '10.99.0.2');
    expect(await json(endpoint('rm', '100', '20.0.0.2', '--json'))).toEqual({
      vni: 100,
      ip: '20.0.0.2',
      removed: ['missd:{100}:ip:20.0.0.2'],
    });
    await endpoint('rm', '100', '20.0.0.3');
    expect(await keys()).toEqual([]);
    await expect(endpoint('rm', '100', '20.0.0.3')).rejects.toThrow('VNI 100 has no endpoint 20.0.0.3');
  });
});

describe('endpoint ls', () => {
  it('tells everything that is there, and what does not count', async () => {
    await endpoint('set', '100', '20.0.0.10', MAC, '10.99.0.2');
    await endpoint('set', '100', '20.0.0.9', OTHER, '10.99.0.3', '--ttl', '100');
    await server.cli('SET', `missd:{100}:mac:${MAC}`, '10.99.0.4');
    await server.cli('SET', 'missd:{100}:mac:02:42:14:00:00:99', '10.99.0.5');
    await server.cli('SET', 'missd:{100}:ip:20.0.0.11', `${MAC} 127.0.0.1\u001b[2J`);
    await server.cli('SET', 'missd:{200}:ip:20.0.0.2', `${MAC} 10.99.0.2`);
    await server.cli('SET', 'other:{100}:ip:20.0.0.2', `${MAC} 10.99.0.2`);
    const listed = await json(endpoint('ls', '100', '--json'));
    expect(listed).toEqual([
      {
        vni: 100,
        ip: '20.0.0.9',
        mac: OTHER,
        vtep: '10.99.0.3',
        router: false,
        ttl: expect.closeTo(100, -1) as number,
      },
      { vni: 100, ip: '20.0.0.10', mac: MAC, vtep: '10.99.0.2', router: false, macVtep: '10.99.0.4' },
      { vni: 100, ip: '20.0.0.11', mac: MAC, malformed: 'vtep', value: `${MAC} 127.0.0.1\u001b[2J` },
      { vni: 100, mac: '02:42:14:00:00:99', vtep: '10.99.0.5' },
    ]);
    expect(await json(endpoint('ls', '--json'))).toHaveLength(5);
    const { out } = await endpoint('ls');
    expect(out).toContain('VNI  IP');
    expect(out).not.toContain('\u001b');
  });

  it('goes through a large keyspace', async () => {
    await server.cli(
      'EVAL',
      `for i=0,29999 do redis.call('SET', 'missd:{100}:ip:20.'..math.floor(i/65536)..'.'..(math.floor(i/256)%256)..'.'..(i%256), '${MAC} 10.99.0.2')
       redis.call('SET', 'noise:'..i, 'x') end`,
      '0',
    );
    expect(await json(endpoint('ls', '100', '--json'))).toHaveLength(30_000);
  });
});

describe('endpoint import and export', () => {
  const file = (text: string): string => {
    const path = join(dir, 'import.yaml');
    writeFileSync(path, text);
    return path;
  };

  it('say the same thing to each other', async () => {
    await endpoint('set', '100', '20.0.0.2', MAC, '10.99.0.2');
    await endpoint('set', '100', 'fd20::2', MAC, '10.99.0.2', '--router');
    await subnet('set', '200', '10.20.2.0/24', OTHER, '10.99.0.3');
    await server.cli('ZADD', 'missd:{200}:vteps', '99999999999999', '10.99.0.7', '1', '10.99.0.8');
    await server.cli('SET', 'missd:{100}:ip:20.0.0.99', 'junk');
    const { out, err } = await endpoint('export');
    expect(err).toBe('missd: left out: VNI 100: 20.0.0.99 is malformed (syntax)\n');
    await server.cli('DEL', 'missd:{100}:ip:20.0.0.99');
    const before = await keys();
    await server.cli('FLUSHALL');
    expect((await endpoint('import', file(out))).out).toBe(
      '2 endpoints and 1 subnets in 2 VNIs, 0 keys removed\n',
    );
    expect(await keys()).toEqual(before);
    expect((await endpoint('export')).out).toBe(out);
    expect((await endpoint('export', '200')).out).not.toContain('20.0.0.2');
    expect(await server.cli('ZRANGE', 'missd:{200}:vteps', '0', '-1')).toBe('10.99.0.7');
  });

  const one = `vnis: { 100: { endpoints: [ { ip: 20.0.0.2, mac: "${OTHER}", vtep: 10.99.0.3 } ] } }`;
  const others = async (): Promise<void> => {
    await endpoint('set', '100', '20.0.0.2', MAC, '10.99.0.2');
    await endpoint('set', '100', '20.0.0.9', '02:42:14:00:00:09', '10.99.0.2');
    await endpoint('set', '200', '20.0.0.2', MAC, '10.99.0.2');
    await subnet('set', '100', '10.20.2.0/24', MAC, '10.99.0.2');
  };

  it('merges', async () => {
    await others();
    await endpoint('import', file(one));
    expect(await get('missd:{100}:ip:20.0.0.2')).toBe(`${OTHER} 10.99.0.3`);
    expect(await keys()).toEqual(
      [
        'missd:{100}:ip:20.0.0.2',
        'missd:{100}:ip:20.0.0.9',
        'missd:{100}:mac:02:42:14:00:00:09',
        `missd:{100}:mac:${OTHER}`,
        'missd:{100}:subnet:10.20.2.0/24',
        'missd:{100}:subnets',
        'missd:{200}:ip:20.0.0.2',
        `missd:{200}:mac:${MAC}`,
      ].sort(),
    );
  });

  it('replaces within the VNIs of the file', async () => {
    await others();
    await endpoint('import', file(one), '--replace');
    expect(await keys()).toEqual([
      'missd:{100}:ip:20.0.0.2',
      `missd:{100}:mac:${OTHER}`,
      'missd:{200}:ip:20.0.0.2',
      `missd:{200}:mac:${MAC}`,
    ]);
  });

  it('changes nothing when the file has a mistake', async () => {
    await expect(endpoint('import', file(`${one}\nmore: 1`))).rejects.toThrow(
      /import\.yaml:2: unknown key "more"/,
    );
    expect(await keys()).toEqual([]);
  });

  it('takes many', async () => {
    const lines = Array.from(
      { length: 20_000 },
      (_, at) =>
        `      - { ip: 20.1.${at >> 8}.${at & 255}, mac: "02:42:00:00:${(at >> 8).toString(16).padStart(2, '0')}:${(at & 255).toString(16).padStart(2, '0')}", vtep: 10.99.0.2 }`,
    );
    await endpoint('import', file(`vnis:\n  100:\n    endpoints:\n${lines.join('\n')}\n`));
    expect(await server.cli('DBSIZE')).toBe('40000');
  });
});

describe('subnet', () => {
  it('set, ls and rm keep lease and set together', async () => {
    await subnet('set', '100', '10.20.2.0/24', MAC, '10.99.0.2', '--ttl', '100');
    await subnet('set', '100', '10.3.0.0/16', OTHER, '10.99.0.3');
    await server.cli('SADD', 'missd:{100}:subnets', '10.4.0.0/16');
    expect(await json(subnet('ls', '--json'))).toEqual([
      { vni: 100, cidr: '10.3.0.0/16', mac: OTHER, vtep: '10.99.0.3' },
      { vni: 100, cidr: '10.20.2.0/24', mac: MAC, vtep: '10.99.0.2', ttl: expect.closeTo(100, -1) as number },
    ]);
    await subnet('rm', '100', '10.20.2.0/24');
    await subnet('rm', '100', '10.4.0.0/16');
    await expect(subnet('rm', '100', '10.4.0.0/16')).rejects.toThrow('VNI 100 has no lease for 10.4.0.0/16');
    await subnet('rm', '100', '10.3.0.0/16');
    expect(await keys()).toEqual([]);
    await expect(subnet('set', '100', '10.20.2.1/24', MAC, '10.99.0.2')).rejects.toHaveProperty(
      'name',
      'CommanderError',
    );
  });
});

describe('a Redis that cannot be used', () => {
  const attempt = async (url: string): Promise<string> => {
    const at = performance.now();
    try {
      await run(endpointCommand(), ['ls'], url);
    } catch (error) {
      expect(performance.now() - at).toBeLessThan(2500);
      expect(error).toHaveProperty('name', 'RuntimeFailure');
      return (error as Error).message;
    }
    return 'it could';
  };

  it('is told in one line, soon', async () => {
    const port = await freePort();
    expect(await attempt(`redis://127.0.0.1:${port}`)).toBe(`Redis: connection refused by 127.0.0.1:${port}`);
    expect(await attempt('/nonexistent/redis.sock')).toBe('Redis: no socket at /nonexistent/redis.sock');
    expect(await attempt(`redis://nobody:x@127.0.0.1:${server.port}`)).toBe(
      'Redis: wrong user name or password',
    );
    expect(await attempt(`redis://127.0.0.1:${server.port}/99`)).toBe('Redis: no database 99 on this server');
    expect(await attempt(`redis+sentinel://127.0.0.1:${port}/m`)).toMatch(/^Redis: no sentinel of m of /);
    // ioredis does not pass on what happened at the nodes of a cluster.
    expect(await attempt(`redis+cluster://127.0.0.1:${port}`)).toMatch(/^Redis: not connected to 127/);
    server.freeze();
    try {
      expect(await attempt(server.url)).toMatch(/^Redis: no answer from 127/);
    } finally {
      server.thaw();
    }
  });
});

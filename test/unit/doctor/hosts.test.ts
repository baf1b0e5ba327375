import { expect, test } from 'vitest';
import { RedisKeys } from '../../../src/directory/redis/keys.ts';
import { redisTarget } from '../../../src/directory/redis/url.ts';
import type { RedisWriter } from '../../../src/directory/redis/writer.ts';
import { judgeDaemon, publishingOf } from '../../../src/doctor/daemon.ts';
import { type HostFacts, judgeHosts, readHosts } from '../../../src/doctor/hosts.ts';
import { statusLike } from '../fake/status.ts';

const VNI = 100;
const target = redisTarget({ redis: 'redis://10.0.0.5:6379', keyPrefix: 'missd' });
const host = (id: string, guests: number, leased = false) => ({
  id,
  key: `missd:{100}:host:${id}`,
  leased,
  guests,
});
const judged = (hosts: HostFacts['hosts'], joined = true): string[] =>
  judgeHosts({ vni: VNI, hosts }, joined, target).map(
    ({ level, check, what }) => `${level} ${check}: ${what}`,
  );

test('a host whose lease has ended and whose records remain is a warning', () => {
  expect(judged([host('a', 0, true), host('b', 0), host('c', 2)])).toEqual([
    'warning ended-host: the lease of host c in VNI 100 has ended, and records of 2 guests of it are still there',
  ]);
  expect(judged([host('a', 5, true)])).toEqual([]);
  const [finding] = judgeHosts({ vni: VNI, hosts: [host('c', 1)] }, true, target);
  expect(finding?.fix).toEqual(["redis-cli -h 10.0.0.5 -p 6379 PTTL 'missd:{100}:host:c'"]);
});

test('many are counted', () => {
  const many = judged(Array.from({ length: 9 }, (_, n) => host(`h${n}`, 1)));
  expect(many).toHaveLength(5);
  expect(many.at(-1)).toContain('5 more hosts');
});

test('hosts that may not be read are told of only where a network is joined', () => {
  expect(judged('not permitted')).toEqual([
    'note hosts: the hosts of VNI 100 could not be read: not permitted',
  ]);
  expect(judged('not permitted', false)).toEqual([]);
});

test('are read with their leases, and what those without one have published', async () => {
  const read = (hgetall: () => Promise<Record<string, string>>): Promise<HostFacts> => {
    const client = {
      hgetall,
      scard: (key: string) => Promise.resolve(key === 'missd:{100}:owned:c' ? 2 : 9),
    };
    const values = (keys: string[]) =>
      Promise.resolve(keys.map((key) => (key.endsWith(':a') ? 'aa 1 10.99.0.1' : null)));
    return readHosts({ client, values, keys: new RedisKeys('missd') } as unknown as RedisWriter, VNI);
  };
  expect(await read(() => Promise.resolve({ a: 'aa', c: 'cc' }))).toEqual({
    vni: VNI,
    hosts: [host('a', 0, true), host('c', 2)],
  });
  const refusal = (text: string) => () => Promise.reject(new Error(text));
  expect(await read(refusal('NOPERM no permissions'))).toEqual({ vni: VNI, hosts: 'not permitted' });
  expect(await read(refusal('WRONGTYPE of a key'))).toEqual({ vni: VNI, hosts: [] });
  await expect(read(refusal('Connection is closed.'))).rejects.toThrow('closed');
});

test('a host whose lease another process has publishes nothing, which is a fault; one that has lapsed is taken again', () => {
  const facts = (loss?: 'lapsed' | 'displaced' | 'refused' | 'cloned') => {
    const one = {
      ...{ network: 'blue', vni: VNI, host: 'a', lease: 0, guests: 1, addresses: 0, claims: [] },
      refused: { duplicate: 0, manual: 0, frozen: 0 },
      ...(loss !== undefined && { loss }),
    };
    return { where: '127.0.0.1:9847', status: statusLike({ publishing: [one] }) };
  };
  const found = (loss?: Parameters<typeof facts>[0]) =>
    judgeDaemon(facts(loss), []).filter(({ check }) => check === 'host-lease');
  expect(found()).toEqual([]);
  const old = { ...statusLike() } as Partial<ReturnType<typeof statusLike>>;
  delete old.publishing;
  expect(publishingOf({ where: '', status: old as ReturnType<typeof statusLike> })).toEqual([]);
  expect(found('lapsed')).toEqual([]);
  for (const loss of ['displaced', 'refused', 'cloned'] as const)
    expect(found(loss)).toMatchObject([{ level: 'broken', fix: ['missd run --join blue --host-id <ID>'] }]);
});

import { execFileSync } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { until } from '../../src/lab/wait.ts';
import { BEFORE_THE_RETRY, Pair, booksBalance, tellOnFailure } from './harness.ts';

let pair: Pair | undefined;
tellOnFailure(() => pair);
afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

async function expectFirstPings(of: Pair): Promise<void> {
  for (const ip of ['20.0.0.2', 'fd20::2']) {
    const { received, rtts } = await of.guest1.ping(ip);
    expect(received).toBe(1);
    expect(rtts[0]).toBeLessThan(BEFORE_THE_RETRY);
  }
}

test('one SET per address by hand is enough', async () => {
  pair = await Pair.build();
  await pair.redis.cli('SET', 'missd:{100}:ip:20.0.0.1', '02:42:14:00:00:01 10.99.0.1');
  await pair.redis.cli('SET', 'missd:{100}:ip:20.0.0.2', '02:42:14:00:00:02 10.99.0.2');
  await pair.redis.cli('SET', 'missd:{100}:ip:fd20::1', '02:42:14:00:00:01 10.99.0.1');
  await pair.redis.cli('SET', 'missd:{100}:ip:fd20::2', '02:42:14:00:00:02 10.99.0.2');
  await expectFirstPings(pair);
});

test('a record that comes after the question ends "nobody has this address" at once', async () => {
  pair = await Pair.build({ flags: ['--negative-lifetime', '600'] });
  const { daemon, guest1, guest2 } = pair;
  expect((await guest1.ping('20.0.0.2', { timeout: 0.2 })).received).toBe(0);
  await until('the miss to be answered with unknown', async () => {
    return (await daemon.metric('missd_resolutions_total', { layer: 'l3', outcome: 'unknown' })) > 0;
  });
  await pair.publishGuests(guest1, guest2);
  // The guest asks once a second by itself; had the daemon not been told, it would ignore that for ten minutes.
  expect((await guest1.ping('20.0.0.2', { count: 1, timeout: 5 })).received).toBe(1);
});

test('a YAML file does without any Redis', async () => {
  pair = await Pair.build({ directory: yamlDirectory });
  await pair.redis.stop();
  await expectFirstPings(pair);
  await booksBalance(pair.daemon);
});

test('a fifo in place of the file, or ten thousand endpoints, stop nothing', async () => {
  let file = '';
  pair = await Pair.build({ directory: (lab) => (file = yamlDirectory(lab)) });
  const { daemon, host1, lab } = pair;
  const fresh = join(lab.directory, 'fresh.yaml');
  execFileSync('mkfifo', [fresh]);
  renameSync(fresh, file);
  await until('the fifo to be refused', () =>
    Promise.resolve(daemon.log.some((line) => line.includes('not a regular file but a fifo'))),
  );
  await expectFirstPings(pair);

  // The other guest is elsewhere in the new file, so its entry tells when that has been read.
  writeFileSync(fresh, yamlText('10.99.0.9') + crowd(10_000));
  renameSync(fresh, file);
  const began = performance.now();
  let longest = 0;
  await until(
    'the large file to be in force',
    async () => {
      const asked = performance.now();
      expect(await daemon.get('/healthz')).toMatchObject({ status: 200 });
      longest = Math.max(longest, performance.now() - asked);
      return (await host1.segment.fdb()).some(({ vtep }) => vtep === '10.99.0.9');
    },
    { timeout: 50_000 },
  );
  expect(longest).toBeLessThan((performance.now() - began) / 4);
});

test('a lease over a subnet answers for the addresses in it, the longest prefix first', async () => {
  pair = await Pair.build({ noDaemons: true });
  const { host1, host2, guest1, guest2 } = pair;
  // The shorter prefix points into the void: who followed it would not get an answer.
  await pair.publish(
    ['missd:{100}:subnet:20.0.0.0/24', '02:f0:00:00:00:99 10.99.0.99'],
    ['missd:{100}:subnet:20.0.0.2/31', `${guest2.mac} ${host2.vtep}`],
    ['missd:{100}:subnet:20.0.0.0/31', `${guest1.mac} ${host1.vtep}`],
  );
  await pair.redis.cli('SADD', 'missd:{100}:subnets', '20.0.0.0/24', '20.0.0.2/31', '20.0.0.0/31');
  await Promise.all([pair.serve(host1), pair.serve(host2)]);
  const { received, rtts } = await guest1.ping('20.0.0.2');
  expect(received).toBe(1);
  expect(rtts[0]).toBeLessThan(BEFORE_THE_RETRY);
});

function yamlDirectory({ directory }: { directory: string }): string {
  const file = join(directory, 'directory.yaml');
  writeFileSync(file, yamlText('10.99.0.2'));
  return file;
}

const yamlText = (other: string): string => `vnis:
  100:
    endpoints:
      - { ip: 20.0.0.1, mac: "02:42:14:00:00:01", vtep: 10.99.0.1 }
      - { ip: 20.0.0.2, mac: "02:42:14:00:00:02", vtep: ${other} }
      - { ip: "fd20::1", mac: "02:42:14:00:00:01", vtep: 10.99.0.1 }
      - { ip: "fd20::2", mac: "02:42:14:00:00:02", vtep: ${other} }
`;

/** Further endpoints behind those. */
const crowd = (count: number): string =>
  Array.from({ length: count }, (_, index) => {
    const [high, low] = [index >> 8, index & 255];
    const mac = [0x02, 0x77, 0, 0, high, low].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
    return `      - { ip: 20.1.${high}.${low}, mac: "${mac}", vtep: 10.99.0.2 }\n`;
  }).join('');

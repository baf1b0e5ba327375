/** A pair that is well, and what `missd explain` makes of it: before it talked, after, with a daemon and without. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { attempt } from '../../src/lab/command.ts';
import { MISSD } from '../../src/lab/daemon.ts';
import { macRecord } from '../../src/lab/records.ts';
import { explain } from './explaining.ts';
import { Pair, close, tellOnFailure } from './harness.ts';

let pair: Pair;
tellOnFailure(() => pair);
beforeAll(async () => {
  pair = await Pair.build();
  await pair.publishGuests(pair.guest1, pair.guest2);
  await pair.publish(macRecord(pair.guest2));
});
afterAll(() => close(pair));

test('a pair that has not talked yet: the first packet will raise a miss, and missd will answer', async () => {
  const { verdict, code, of } = await explain(pair);
  expect(verdict).toMatchObject({ works: true });
  expect(verdict.says).toMatch(
    /^not asked yet: .* 02:42:14:00:00:02 behind 10\.99\.0\.2, and full-size packets/,
  );
  expect(code).toBe(0);
  expect(of('underlay')[0]?.level).toBe('ok');
  expect(of('MTU')[0]).toMatchObject({ level: 'ok' });
});

test('from inside of a guest it is proven, and the daemon tells what happened', async () => {
  const { verdict, code, of } = await explain(pair, { from: pair.guest1 });
  expect(verdict).toEqual({ works: true, says: 'works: the guest has an answer from 20.0.0.2' });
  expect(code).toBe(0);
  expect(of('neighbour')[0]?.text).toMatch(/^02:42:14:00:00:02 NOARP, missd’s/);
  expect(of('FDB')[0]?.text).toMatch(/^02:42:14:00:00:02 behind 10\.99\.0\.2/);
  expect(of('history').map(({ text }) => text)).toContainEqual(
    expect.stringMatching(
      /^[\d:]{8} miss answered: 02:42:14:00:00:02 behind 10\.99\.0\.2, from ip, after [\d.]+ ms$/,
    ),
  );
  expect(of('daemon').map(({ text }) => text)).toContainEqual(
    expect.stringMatching(/^holds 20\.0\.0\.2 as 02:42:14:00:00:02, from ip:20\.0\.0\.2, read /),
  );
});

test('the history is asked for by VNI and address, and by nothing else', async () => {
  const status = async (query: string) => (await pair.daemon.get(`/history${query}`))?.status;
  expect(await status('?vni=100&address=20.0.0.2')).toBe(200);
  for (const query of ['', '?vni=100', '?vni=0&address=20.0.0.2', '?vni=100&address=20.0.0']) {
    expect(await status(query), query).toBe(400);
  }
});

test('a daemon knows where its VNI is, and with which directory, where the command was not told', async () => {
  const listen = ['--listen', new URL(pair.daemon.url).host];
  const lost = await attempt([process.execPath, MISSD, 'explain', '100', '20.0.0.2', ...listen]);
  expect(lost).toEqual({
    code: 1,
    stdout: '',
    stderr: `missd: VNI 100 is on no VXLAN device of this namespace; missd serves vxlan100 of it: --netns ${pair.host1.namespace.name}\n`,
  });
  const { verdict, of } = await explain(pair, { flags: ['--redis', '/nowhere/redis.sock'] });
  expect(verdict.says).toMatch(/; but this command reads another directory than the daemon$/);
  expect(of('FDB')[0]?.level).toBe('ok');
});

test('a MAC is explained as an address is', async () => {
  const { verdict, of } = await explain(pair, { address: pair.guest2.mac });
  expect(verdict.works).toBe(true);
  expect(of('mac record')[0]).toMatchObject({ level: 'ok' });
});

test('where the record’s host is asked, the address lives there', async () => {
  const { verdict, of, code } = await explain(pair, { host: pair.host2 });
  expect(verdict.says).toBe('20.0.0.2 is on this host; its frames need no tunnel');
  expect(of('bridge')[0]?.text).toMatch(/^it is on this host: br0 hears 02:42:14:00:00:02 on g2/);
  expect(code).toBe(0);
});

/** An upgrade while traffic goes on: pairs that talk lose nothing, and pairs that begin meanwhile get through. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { macOf } from '../../src/lab/address.ts';
import { ipKey } from '../../src/lab/records.ts';
import { until } from '../../src/lab/wait.ts';
import { Pair, tellOnFailure } from '../lab/harness.ts';
import { Traffic } from './traffic.ts';

let pair: Pair | undefined;
tellOnFailure(() => pair);
afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

/** Last bytes of addresses that nobody has talked to yet. */
const NEW = Array.from({ length: 40 }, (_, index) => index + 3);
/** Between one new pair and the next, ms: they begin before, while and after the daemons change places. */
const APART = 60;

test.each([
  ['by a successor that stands by with --wait, on the same HTTP address', true],
  ['by a restart, as `systemctl restart` does', false],
])('replaced %s', async (_what, standsBy) => {
  pair = await Pair.build({ also: NEW });
  const { lab, host1, host2, guest1, guest2 } = pair;
  await pair.publishGuests(guest1, guest2);
  await pair.publish(
    ...NEW.map((n) => [ipKey(100, `20.0.0.${n}`), `${macOf(`20.0.0.${n}`)} ${host2.vtep}`] as const),
  );
  // A guest asks three times, a second apart, and gives up; a daemon may take longer to start on a busy machine.
  await guest1.namespace.sysctl({ 'net/ipv4/neigh/eth0/mcast_solicit': 20 });
  const old = pair.daemon;
  const established = [
    await Traffic.start(lab, guest1, '20.0.0.2'),
    await Traffic.start(lab, guest1, 'fd20::2'),
    await Traffic.start(lab, guest2, '20.0.0.1'),
  ];
  const flags = ['--listen', new URL(old.url).host, '--wait'];
  const successor = standsBy ? await pair.start(host1, flags) : undefined;
  await successor?.program.until('the successor to stand by', () =>
    successor.log.some((line) => line.includes('waiting for it')),
  );

  const begun = NEW.map(async (n, index) => {
    await sleep(index * APART);
    const { received, rtts } = await guest1.ping(`20.0.0.${n}`, { timeout: 20 });
    return { n, received, rtt: rtts[0] ?? NaN };
  });
  await begun[3];
  expect(await old.stop()).toBe(0);
  const stopped = performance.now();
  const daemon = successor ?? (await pair.start(host1, flags));
  await until('the other one to be ready', async () => {
    const status = await old.get('/status');
    return (
      status?.body.includes(`"pid": ${daemon.program.pid}`) === true &&
      (await old.get('/readyz'))?.status === 200
    );
  });
  const gap = performance.now() - stopped;

  const began = await Promise.all(begun);
  await Promise.all(established.map((one) => one.flows()));
  const counted = await Promise.all(established.map((one) => one.stop()));
  const latest = Math.max(...began.map(({ rtt }) => rtt));
  console.log(
    `ready ${gap.toFixed(0)} ms after; sent and lost: ${JSON.stringify(counted)}; slowest of the new pairs ${latest} ms`,
  );
  expect(began.filter(({ received }) => received !== 1)).toEqual([]);
  for (const { lost } of counted) expect(lost).toBe(0);
});

/** What each strategy makes the kernel hold: 2 × 500 guests, of which one pair in twenty talks. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { macOf } from '../../src/lab/address.ts';
import { type Entry, ipKey } from '../../src/lab/records.ts';
import { RoutedSegment } from '../../src/lab/routed-segment.ts';
import { Pair, ask, close, tellOnFailure } from './harness.ts';

const GUESTS = 500;
const TALKING = GUESTS / 20;

/** Addresses of a host's guests: 20.0.N0.0 and what comes behind it. */
const addressesOf = (host: number): string[] =>
  Array.from({ length: GUESTS }, (_, index) => `20.0.${10 * host + (index >> 8)}.${index & 255}`);

let pair: Pair;
beforeAll(async () => {
  const routed = { vni: 200, dstport: 4790, topology: 'routed' } as const;
  pair = await Pair.build({ noDaemons: true, segments: [{}, routed] });
  const { host1, host2 } = pair;
  for (const { n, vtep } of [host1, host2]) {
    await pair.publish(...addressesOf(n).map((ip): Entry => [ipKey(100, ip), `${macOf(ip)} ${vtep}`]));
  }
  const segments = [host1, host2].flatMap(({ segments: all }) => all);
  await pair.publishLeases(...segments.filter((segment) => segment instanceof RoutedSegment));
});
afterAll(() => close(pair));
tellOnFailure(() => pair);

/** Rows on host 1's device of a VNI. */
async function rows(vni: number): Promise<{ neighbours: number; fdb: number; routes: number }> {
  const segment = pair.host1.segments.find((one) => one.vni === vni);
  if (segment === undefined) throw new Error(`no VNI ${vni}`);
  const routes = await pair.host1.namespace.show('route', 'show', 'dev', segment.device, 'proto', 77);
  return {
    neighbours: (await segment.neighbours()).length,
    fdb: (await segment.fdb()).length,
    routes: routes.length,
  };
}

test('on demand a twentieth of everything, ahead everything, by routes one line a host', async () => {
  await pair.serve(pair.host1, ['--strategy', '200=routes']);
  await ask(pair.daemon, pair.guest1, addressesOf(2)[0] ?? '', TALKING);
  const demand = await rows(100);
  expect(demand).toEqual({ neighbours: TALKING, fdb: TALKING, routes: 0 });
  await pair.daemon.stop();

  await pair.serve(pair.host1, ['--strategy', '100=preload', '--strategy', '200=routes']);
  const preload = await rows(100);
  expect(preload).toEqual({ neighbours: GUESTS, fdb: GUESTS, routes: 0 });
  // The neighbour of IPv6 beside that of IPv4; the FDB entry is one.
  const routes = await rows(200);
  expect(routes).toEqual({ neighbours: 2, fdb: 1, routes: 1 });
  console.log(
    `rows on host 1: on demand ${JSON.stringify(demand)}, preload ${JSON.stringify(preload)}, routes ${JSON.stringify(routes)}`,
  );
});

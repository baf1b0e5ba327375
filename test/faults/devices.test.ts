/** What the kernel's tables hang on goes away and comes back: served again by itself. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { addressRecords, ipKey } from '../../src/lab/records.ts';
import { until } from '../../src/lab/wait.ts';
import type { Words } from '../../src/lab/namespace.ts';
import { Pair, ask, close, tellOnFailure } from '../lab/harness.ts';
import { becomesTrue } from './truth.ts';
import { expectTables, rowsOf } from './tables.ts';
import { macOf } from '../../src/lab/address.ts';

/** None by the clock: what happens to a device must be noticed when it happens. */
const NO_AUDIT = ['--audit', '3600'];

let pair: Pair;
tellOnFailure(() => pair);

const ip = (...commands: Words[]): Promise<void> => pair.host1.namespace.ip(...commands);

/** A first packet that is answered before the guest itself would ask again. */
async function answers(to: string): Promise<void> {
  await pair.guest1.forgetNeighbours();
  const { received, rtts } = await pair.guest1.ping(to);
  expect(received).toBe(1);
  expect(rtts[0]).toBeLessThan(900);
}

describe('on host 1', () => {
  const HELD = ['20.0.0.2', 'fd20::2'];
  beforeAll(async () => {
    pair = await Pair.build({ flags: NO_AUDIT });
    await pair.publishGuests(pair.guest1, pair.guest2);
  });
  afterAll(() => close(pair));
  beforeEach(async () => {
    for (const address of HELD) await answers(address);
    await becomesTrue(pair.redis, pair.host1.segment, { held: HELD });
  });

  test('the VXLAN device goes down and up: its entries are back without a miss', async () => {
    const { daemon, host1, redis } = pair;
    const misses = await daemon.metric('missd_misses_total', { layer: 'l3' });
    await ip(['link', 'set', 'vxlan100', 'down']);
    expect(await rowsOf(host1.segment)).toEqual([]);
    await ip(['link', 'set', 'vxlan100', 'up']);
    await becomesTrue(redis, host1.segment, { held: HELD });
    expect(await daemon.metric('missd_misses_total', { layer: 'l3' })).toBe(misses);
    await answers('20.0.0.2');
  });

  test('it flaps many times over', async () => {
    const flaps = Array.from({ length: 50 }, (_, index): Words => [
      ...['link', 'set', 'vxlan100', index % 2 === 0 ? 'down' : 'up'],
    ]);
    await ip(...flaps);
    await becomesTrue(pair.redis, pair.host1.segment, { held: HELD });
  });

  test('records change while it is down: what is back is what they say now', async () => {
    const { host1, guest2, redis } = pair;
    await ip(['link', 'set', 'vxlan100', 'down']);
    await pair.publish(
      [ipKey(100, '20.0.0.2'), `${guest2.mac} 10.99.0.9`],
      [ipKey(100, 'fd20::2'), `${guest2.mac} 10.99.0.9`],
    );
    await ip(['link', 'set', 'vxlan100', 'up']);
    await becomesTrue(redis, host1.segment, { held: HELD });
    await pair.publishGuests(guest2);
    await becomesTrue(redis, host1.segment, { held: HELD });
  });

  test('it is deleted and made again', async () => {
    const { host1 } = pair;
    await ip(['link', 'del', 'vxlan100']);
    await host1.segment.buildDevice();
    await until('the new one to be served', async () => (await ready()) && (await served()).length === 1);
    for (const address of HELD) await answers(address);
  });

  test('its MAC changes: the neighbours that the kernel flushed are back', async () => {
    await ip(['link', 'set', 'vxlan100', 'address', '02:f1:00:00:00:01']);
    await becomesTrue(pair.redis, pair.host1.segment, { held: HELD });
    await answers('20.0.0.2');
  });

  test('the bridge is deleted and made again, with the same devices as ports', async () => {
    const { host1, guest1, redis } = pair;
    await ip(['link', 'del', 'br0']);
    await host1.segment.buildBridge();
    await ip(['link', 'set', 'vxlan100', 'master', 'br0'], ['link', 'set', guest1.port, 'master', 'br0']);
    for (const address of HELD) await answers(address);
    await becomesTrue(redis, host1.segment, { held: HELD });
    // A setting of the port that went with the old bridge.
    await until('mcast_router to be set', async () => (await bridgePort())['multicast_router'] === 2);
  });

  test('the namespace is deleted and made again, and nobody keeps the old one', async () => {
    const { lab, host1, guest1, guest2, redis } = pair;
    const underlay = async (): Promise<boolean> =>
      (await lab.underlay.namespace.show('link', 'show')).some((link) => link['ifname'] === 'h1');
    expect(await underlay()).toBe(true);
    await lab.deleteNamespace(host1.namespace);
    // The far end of its uplink goes only with the namespace itself.
    await until('the namespace to be released', async () => !(await underlay()));
    expect((await pair.daemon.get('/readyz'))?.status).toBe(503);
    await lab.underlay.connect(host1.namespace, host1.n);
    await host1.segment.build();
    await pair.daemon.ready();
    const guest = await host1.addGuest({ n: 5, dad: false });
    await pair.publish(...addressRecords(guest));
    for (const address of [guest2.ip4, guest2.ip6])
      expect((await guest.ping(address ?? '')).received).toBe(1);
    await becomesTrue(redis, host1.segment, { held: HELD });
    expect(guest1.n).toBe(1);
  });
});

describe('the address of host 1', () => {
  beforeAll(async () => {
    pair = await Pair.build({ flags: NO_AUDIT });
    await pair.publishGuests(pair.guest1, pair.guest2);
  });
  afterAll(() => close(pair));

  test('changes: no entry for itself, others follow, and the old address is anybody’s', async () => {
    const { host1, host2, guest1, guest2, redis, daemon } = pair;
    const now = '10.99.0.21';
    // One that is elsewhere until the address is ours, and one that never is.
    const entries = [51, 52].map(
      (n) => [ipKey(100, `20.0.0.${n}`), `${macOf(`20.0.0.${n}`)} ${n === 51 ? now : '10.99.0.5'}`] as const,
    );
    await pair.publish(...entries);
    await answers('20.0.0.2');
    expect((await guest2.ping('20.0.0.1')).received).toBe(1);
    await ask(daemon, guest1, '20.0.0.51', 2);
    await becomesTrue(redis, host1.segment, { held: ['20.0.0.2', '20.0.0.51', '20.0.0.52'], home: [] });

    await ip(
      ['address', 'add', `${now}/24`, 'dev', 'eth0'],
      ['address', 'del', '10.99.0.1/24', 'dev', 'eth0'],
    );
    await ip(['address', 'add', `${now}/24`, 'dev', 'eth0']).catch(() => undefined);
    await ip(['link', 'set', 'vxlan100', 'type', 'vxlan', 'local', now]);
    await pair.publish(...addressRecords(guest1).map(([key]) => [key, `${guest1.mac} ${now}`] as const));

    await becomesTrue(redis, host1.segment, { held: ['20.0.0.2', '20.0.0.52'], home: [now] });
    await expectTables(host2.segment, redis, { ips: ['20.0.0.1'] });
    expect((await rowsOf(host2.segment)).join()).toContain(now);
    await answers('20.0.0.2');
    expect((await guest2.ping('20.0.0.1')).received).toBe(1);
    // Asked for, an address behind us gets none either; one behind our old address does.
    await pair.publish([ipKey(100, '20.0.0.53'), `${macOf('20.0.0.53')} 10.99.0.1`]);
    await ask(daemon, guest1, '20.0.0.51', 1);
    await ask(daemon, guest1, '20.0.0.53', 1);
    await becomesTrue(redis, host1.segment, { held: ['20.0.0.2', '20.0.0.52', '20.0.0.53'], home: [now] });
  });
});

const ready = async (): Promise<boolean> => (await pair.daemon.get('/readyz'))?.status === 200;

async function served(): Promise<unknown[]> {
  const status = JSON.parse((await pair.daemon.get('/status'))?.body ?? '{}') as { devices: unknown[] };
  return status.devices;
}

async function bridgePort(): Promise<Record<string, unknown>> {
  const [link] = await pair.host1.namespace.show('link', 'show', 'dev', 'vxlan100');
  const info = link?.['linkinfo'] as { info_slave_data?: Record<string, unknown> } | undefined;
  return info?.info_slave_data ?? {};
}

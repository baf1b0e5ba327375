/** As Docker does it: VXLAN device, bridge and guests' ports in a namespace of their own, packets from the host's. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Daemon } from '../../src/lab/daemon.ts';
import type { Guest } from '../../src/lab/guest.ts';
import { ipKey } from '../../src/lab/records.ts';
import type { Segment } from '../../src/lab/segment.ts';
import { until } from '../../src/lab/wait.ts';
import { BEFORE_THE_RETRY, Pair, ask, booksBalance, close, counting, tellOnFailure } from './harness.ts';

let pair: Pair;
tellOnFailure(() => pair);

async function answers(from: Guest, to: string | undefined): Promise<void> {
  await from.forgetNeighbours();
  const { received, rtts } = await from.ping(to ?? '');
  expect(received).toBe(1);
  expect(rtts[0]).toBeLessThan(BEFORE_THE_RETRY);
}

describe('one on each host', () => {
  beforeAll(async () => {
    // No `local`: what this host's VTEP is can only be read in the namespace that the device was made in.
    pair = await Pair.build({ segments: [{ topology: 'overlay', local: false }] });
    await pair.publishGuests(pair.guest1, pair.guest2);
  });
  afterAll(() => close(pair));

  test.each(['ip4', 'ip6'] as const)('guests reach each other by %s', async (family) => {
    await answers(pair.guest1, pair.guest2[family]);
    await answers(pair.guest2, pair.guest1[family]);
    for (const daemon of pair.daemons) await booksBalance(daemon);
  });

  test('addresses behind the namespace that the packets leave from are this host’s own', async () => {
    const { daemon, guest1, host1 } = pair;
    await pair.publish([ipKey(100, '20.0.0.77'), `02:42:14:00:00:4d ${host1.vtep}`]);
    const { since } = await counting(daemon, () => ask(daemon, guest1, '20.0.0.77'));
    expect(since('missd_resolutions_total', { layer: 'l3', outcome: 'local' })).toBe(1);
    expect((await host1.segment.neighbours()).map(({ ip }) => ip)).not.toContain('20.0.0.77');
  });
});

describe('three on one host, one of them kept by a process alone', () => {
  /** The far ends of the segments of host 1, by VNI. */
  const guests = new Map<number, { near: Guest; far: Guest }>();
  const segmentOf = (vni: number): Segment => {
    const found = pair.host1.segments.find((segment) => segment.vni === vni);
    if (found === undefined) throw new Error(`no VNI ${vni}`);
    return found;
  };
  const pairOf = (vni: number): { near: Guest; far: Guest } => {
    const found = guests.get(vni);
    if (found === undefined) throw new Error(`no guests in VNI ${vni}`);
    return found;
  };
  /** A guest's port is in the overlay namespace, so the guest loses its interface when that really goes. */
  const released = (guest: Guest): Promise<unknown> =>
    until('the namespace to be released', async () => {
      const links = await guest.namespace.show('link', 'show');
      return links.every((link) => link['ifname'] !== 'eth0');
    });

  const served = (count: number): Promise<unknown> =>
    until(`${count} to be served`, async () => (await pair.daemon.metric('missd_devices')) === count);

  beforeAll(async () => {
    const segments = [100, 200, 300].map((vni) => ({ topology: 'overlay' as const, vni }));
    pair = await Pair.build({ segments, noDaemons: true });
    guests.set(100, { near: pair.guest1, far: pair.guest2 });
    for (const [index, vni] of [200, 300].entries()) {
      const tenant = (n: 1 | 2) => ({
        ...{ n: 10 * (index + 1) + n, dad: false, mac: `02:42:00:00:0${index}:0${n}` },
        ...{ ip4: `20.0.0.${n}/24`, ip6: `fd20::${n}/64` },
      });
      const far = pair.host2.segments[index + 1];
      if (far === undefined) throw new Error('no such segment');
      guests.set(vni, {
        near: await segmentOf(vni).addGuest(tenant(1)),
        far: await far.addGuest(tenant(2)),
      });
    }
    await pair.publishGuests(...[...guests.values()].flatMap(({ near, far }) => [near, far]));
    await pair.serve(pair.host2);
  });
  afterAll(() => close(pair));

  test('by name and by path, all at once, each with its own tables', async () => {
    const { lab } = pair;
    const kept = segmentOf(300).namespace;
    const reconciler = await lab.start(kept.inside(['sleep', '600']));
    await until('the process to be inside', async () =>
      (
        await lab.underlay.namespace.attempt(['ip', 'netns', 'identify', String(reconciler.pid)])
      ).stdout.includes(kept.name),
    );
    const path = `/proc/${reconciler.pid}/ns/net`;
    const daemon = await Daemon.start(lab, {
      netns: [segmentOf(100).namespace.name, segmentOf(200).namespace.name, path],
      redis: pair.redis.socket,
      flags: ['--audit', '3600'],
    });
    pair.daemons[0] = await daemon.ready();
    await lab.deleteNamespace(kept);
    await Promise.all([...guests.values()].map(({ near }) => answers(near, '20.0.0.2')));
    await Promise.all([...guests.values()].map(({ near }) => answers(near, 'fd20::2')));
    for (const vni of [100, 200]) {
      const rows = await segmentOf(vni).neighbours();
      const { mac } = pairOf(vni).far;
      expect(rows.filter(({ protocol }) => protocol === 77).map(({ lladdr }) => lladdr)).toEqual([mac, mac]);
    }

    await reconciler.kill();
    await released(pairOf(300).near);
    await served(2);
    await booksBalance(pair.daemon);
  });

  test('one goes and comes back under its name: let go of, and served again; the other is not disturbed', async () => {
    const { lab } = pair;
    const segment = segmentOf(200);
    const { near, far } = pairOf(200);
    await lab.deleteNamespace(segment.namespace);
    await released(near);
    await served(1);
    expect((await pair.guest1.ping('20.0.0.2', { count: 5, interval: 0.05 })).received).toBe(5);

    await segment.build();
    await served(2);
    const again = await segment.addGuest({
      ...{ n: 31, dad: false, mac: '02:42:00:00:00:03' },
      ...{ ip4: '20.0.0.3/24', ip6: null },
    });
    await pair.publishGuests(again);
    await answers(again, far.ip4);
    await answers(far, '20.0.0.3');
  });
});

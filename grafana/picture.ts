/**
 * `npm run grafana:picture`: the dashboard's panels as one picture, from a minute in the life of a real lab. Guests meet all
 * the while; a third of the way Redis stands still for some seconds, later somebody scans, and somebody deletes entries. Nobody
 * joins a network, so those panels are left out.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { macOf } from '../src/lab/address.ts';
import { Daemon } from '../src/lab/daemon.ts';
import type { Guest } from '../src/lab/guest.ts';
import { Lab } from '../src/lab/lab.ts';
import { Prometheus } from '../src/lab/prometheus.ts';
import { addressRecords, ipKey } from '../src/lab/records.ts';
import { RedisServer } from '../src/lab/redis-server.ts';
import { type Drawn, draw } from './draw.ts';
import { panelsOf } from './reading.ts';
import { ROOT } from './root.ts';
import { PICTURED } from './rows.ts';

/** Seconds. */
const LENGTH = 75;
const WINDOW = '5s';
const FROZEN = { from: 25, to: 32 };
const SCAN = { from: 48, to: 52 };
const TAMPERED = 60;

const file = (path: string): string => new URL(path, ROOT).pathname;

await Prometheus.mustBeInstalled();
const lab = await Lab.open();
try {
  const redis = await RedisServer.start(lab);
  const [host1, host2] = [await lab.addHost(), await lab.addHost()];
  const guest1 = await host1.addGuest({ n: 1, dad: false });
  const guest2 = await host2.addGuest({ n: 2, dad: false });
  const addresses = Array.from({ length: 4_000 }, (_, n) => `20.1.${n >> 8}.${n & 255}`);
  await redis.commands([
    ...[guest1, guest2].flatMap(addressRecords).map(([key, value]) => `SET "${key}" "${value}"`),
    ...addresses.map((ip) => `SET "${ipKey(100, ip)}" "${macOf(ip)} ${host2.vtep}"`),
  ]);
  const daemons: Daemon[] = [];
  for (const host of [host1, host2])
    daemons.push(
      await Daemon.start(lab, {
        netns: host.served,
        redis: redis.socket,
        flags: ['--audit', '5', '--lifetime', '20'],
      }),
    );
  await Promise.all(daemons.map((daemon) => daemon.ready()));
  const prometheus = await Prometheus.start(lab, daemons, '500ms');
  const ask = (guest: Guest, first: string, count: number): Promise<string> =>
    guest.namespace.exec([
      ...['python3', file('test/lab/arp-burst.py'), 'eth0', guest.mac, guest.ip4 ?? ''],
      ...[first, String(count), String(count)],
    ]);

  const began = Date.now() / 1000;
  const now = (): number => Date.now() / 1000 - began;
  let [asked, frozen, tampered] = [0, false, false];
  while (now() < LENGTH) {
    const shouldBeFrozen = now() > FROZEN.from && now() < FROZEN.to;
    if (shouldBeFrozen !== frozen) redis.signal(shouldBeFrozen ? 'SIGSTOP' : 'SIGCONT');
    frozen = shouldBeFrozen;
    await ask(guest1, addresses[asked % addresses.length] ?? '', 10);
    asked += 10;
    if (now() > SCAN.from && now() < SCAN.to) await ask(guest1, `20.9.${asked & 255}.1`, 100);
    if (now() > TAMPERED && !tampered) {
      await host1.namespace.ip(['neigh', 'del', '20.1.0.1', 'dev', 'vxlan100']);
      tampered = true;
    }
    if (!frozen)
      await redis.commands(
        addresses.slice(0, 5).map((ip) => `SET "${ipKey(100, ip)}" "${macOf(ip)} ${host2.vtep}"`),
      );
    await sleep(150);
  }

  const drawn: Drawn[] = [];
  const titles = PICTURED.map(({ title }) => title);
  for (const panel of panelsOf(readFileSync(file('grafana/dashboard.json'), 'utf8'), WINDOW)) {
    if (!titles.includes(panel.row)) continue;
    const lines = [];
    for (const { expr, legend } of panel.queries)
      for (const { labels, points } of await prometheus.range(expr, began + 5, began + LENGTH, 1))
        lines.push({
          name: legend.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => labels[label] ?? ''),
          labels,
          points,
        });
    drawn.push({ panel, lines });
  }
  writeFileSync(file('grafana/dashboard.svg'), draw(drawn));
} finally {
  await lab.close();
}

/**
 * Published recipes for VXLAN on Linux, with missd in place of the `ip neigh` and `bridge fdb` commands that their
 * authors type by hand: the same device flags, addresses and MACs, and nothing configured but directory records.
 */
import { afterEach, expect, onTestFailed, test } from 'vitest';
import { Daemon } from '../../src/lab/daemon.ts';
import { Lab } from '../../src/lab/lab.ts';
import type { Namespace } from '../../src/lab/namespace.ts';
import { type Entry, ipKey, subnetKey, subnetsKey } from '../../src/lab/records.ts';
import { RedisServer } from '../../src/lab/redis-server.ts';
import { BEFORE_THE_RETRY, booksBalance } from './harness.ts';
import { RecipeHost } from './recipe.ts';

let lab: Lab | undefined;
afterEach(async () => {
  await lab?.close();
  lab = undefined;
});

interface Setting {
  lab: Lab;
  one: RecipeHost;
  two: RecipeHost;
}

/** Two hosts with the network cards of the write-up. */
async function hosts(name: string, first: string, second: string): Promise<Setting> {
  lab = await Lab.open();
  const one = await RecipeHost.build(lab, { name, address: first });
  const two = await RecipeHost.build(lab, { name, address: second });
  return { lab, one, two };
}

/** A missd per host for these namespaces, and the records; `leases` are also listed in their VNI's set. */
async function serve(
  lab: Lab,
  namespaces: readonly Namespace[],
  records: readonly Entry[],
  leases: { vni: number; cidrs: readonly string[] } = { vni: 0, cidrs: [] },
): Promise<Daemon[]> {
  const redis = await RedisServer.start(lab);
  await redis.commands(records.map(([key, value]) => `SET "${key}" "${value}"`));
  if (leases.cidrs.length > 0) await redis.cli('SADD', subnetsKey(leases.vni), ...leases.cidrs);
  const daemons = await Promise.all(
    namespaces.map(async (namespace) =>
      (await Daemon.start(lab, { netns: [namespace.name], redis: redis.socket })).ready(),
    ),
  );
  onTestFailed(() => {
    for (const { log } of daemons) console.error(log.slice(-30).join('\n'));
  });
  return daemons;
}

/** The first ping is answered before the guest's own retry, and those after it all are. */
async function answers(host: RecipeHost, from: string, to: string): Promise<void> {
  const first = await host.ping(from, to);
  expect(first.received).toBe(1);
  expect(first.rtts[0]).toBeLessThan(BEFORE_THE_RETRY);
  expect((await host.ping(from, to, { count: 5, interval: 0.05 })).received).toBe(5);
}

/** Rows that missd wrote to a device, as people read them. */
async function rows(namespace: Namespace, device: string): Promise<string[]> {
  const neighbours = (await namespace.neighbours(device)).filter(({ protocol }) => protocol === 77);
  const fdb = (await namespace.fdb(device)).filter(({ externLearned, self }) => externLearned && self);
  return [
    ...neighbours.map(({ ip, lladdr }) => `${ip} ${lladdr}`),
    ...fdb.map(({ lladdr, vtep }) => `${lladdr} ${vtep}`),
  ].sort();
}

// A write-up on first-generation Flannel, which watches the L2 and L3 misses with `ip monitor` and then types both
// entries: two hosts whose bridges are in one subnet and have the same gateway address with different MACs.
test('L2 and L3 misses of a bridged vtep0, the same gateway on both hosts', async () => {
  const { lab, one, two } = await hosts('eth0', '192.168.100.2/24', '192.168.100.3/24');
  const script = (bridgeMac: string, vtepMac: string, guest: string, guestMac: string): string => `
    ip netns add ns0
    ip link add br0 type bridge
    ip link set br0 address ${bridgeMac}
    ip link set br0 up
    ip addr add 10.20.1.1/24 dev br0
    ip link add veth0 type veth peer name veth0-0
    ip link set dev veth0 up
    ip link set dev veth0 master br0
    ip link set dev veth0-0 netns ns0
    ip netns exec ns0 ip link set lo up
    ip netns exec ns0 ip link set veth0-0 name eth0
    ip netns exec ns0 ip addr add ${guest}/24 dev eth0
    ip netns exec ns0 ip link set eth0 address ${guestMac}
    ip netns exec ns0 ip link set eth0 up
    ip netns exec ns0 ip route add default via 10.20.1.1 dev eth0
    ip link add vtep0 type vxlan id 1 dstport 4789 dev eth0 nolearning proxy l2miss l3miss
    ip link set vtep0 address ${vtepMac}
    ip link set vtep0 master br0
    ip link set vtep0 up`;
  await Promise.all([
    one.run(script('5a:5f:4f:3c:4d:a6', '52:2d:1f:cb:13:55', '10.20.1.4', 'ee:35:0f:11:73:b3')),
    two.run(script('d6:ca:34:af:d7:fd', '52:2f:17:7c:bc:0f', '10.20.1.3', 'e6:4b:f9:ce:d7:7b')),
  ]);
  const daemons = await serve(
    lab,
    [one.host.namespace, two.host.namespace],
    [
      [ipKey(1, '10.20.1.3'), 'e6:4b:f9:ce:d7:7b 192.168.100.3'],
      [ipKey(1, '10.20.1.4'), 'ee:35:0f:11:73:b3 192.168.100.2'],
    ],
  );
  // in place of: ip n add 10.20.1.3 lladdr e6:4b:f9:ce:d7:7b dev vtep0
  //              bridge fdb add e6:4b:f9:ce:d7:7b dst 192.168.100.3 dev vtep0
  await answers(one, 'ns0', '10.20.1.3');
  await answers(two, 'ns0', '10.20.1.4');
  expect(await rows(one.host.namespace, 'vtep0')).toEqual([
    '10.20.1.3 e6:4b:f9:ce:d7:7b',
    'e6:4b:f9:ce:d7:7b 192.168.100.3',
  ]);
  // Each guest's gateway is its own bridge, and nobody else answers for it.
  for (const [host, mac] of [
    [one, '5a:5f:4f:3c:4d:a6'],
    [two, 'd6:ca:34:af:d7:fd'],
  ] as const) {
    expect((await host.ping('ns0', '10.20.1.1')).received).toBe(1);
    const gateway = (await host.room('ns0').neighbours('eth0')).find(({ ip }) => ip === '10.20.1.1');
    expect(gateway?.lladdr).toBe(mac);
  }
  for (const daemon of daemons) await booksBalance(daemon);
});

// The same write-up's script for the second generation: a subnet per host, a vtep0 outside the bridge with an address of
// its own, and a route whose next hop is the other one's. Route by hand as written there; neighbour and FDB entry not.
test('a route per host through vtep0 with l2miss and l3miss, next hop on link', async () => {
  const { lab, one, two } = await hosts('eth0', '192.168.100.2/24', '192.168.100.3/24');
  const script = (n: 1 | 2, bridgeMac: string, vtepMac: string, guestMac: string): string => `
    ip netns add ns0
    ip link add br0 type bridge
    ip link set br0 address ${bridgeMac}
    ip link set br0 up
    ip addr add 10.20.${n}.1/24 dev br0
    ip link add veth0 type veth peer name veth0-0
    ip link set dev veth0 up
    ip link set dev veth0 master br0
    ip link set dev veth0-0 netns ns0
    ip netns exec ns0 ip link set lo up
    ip netns exec ns0 ip link set veth0-0 name eth0
    ip netns exec ns0 ip addr add 10.20.${n}.4/24 dev eth0
    ip netns exec ns0 ip link set eth0 address ${guestMac}
    ip netns exec ns0 ip link set eth0 up
    ip netns exec ns0 ip route add default via 10.20.${n}.1 dev eth0
    ip link add vtep0 type vxlan id 1 dstport 4789 dev eth0 nolearning proxy l2miss l3miss
    ip link set vtep0 address ${vtepMac}
    ip addr add 10.20.${n}.0/32 dev vtep0
    ip link set vtep0 up
    ip route add 10.20.${3 - n}.0/24 via 10.20.${3 - n}.0 dev vtep0 onlink`;
  await Promise.all([
    one.run(script(1, '5a:5f:4f:3c:4d:a6', '52:2d:1f:cb:13:55', 'ee:35:0f:11:73:b3')),
    two.run(script(2, 'd6:ca:34:af:d7:fd', '52:2f:17:7c:bc:0f', 'e6:4b:f9:ce:d7:7b')),
  ]);
  for (const { host } of [one, two]) await host.namespace.sysctl({ 'net/ipv4/ip_forward': 1 });
  const cidrs = ['10.20.1.0/24', '10.20.2.0/24'] as const;
  const [daemon] = await serve(
    lab,
    [one.host.namespace, two.host.namespace],
    [
      [subnetKey(1, cidrs[0]), '52:2d:1f:cb:13:55 192.168.100.2'],
      [subnetKey(1, cidrs[1]), '52:2f:17:7c:bc:0f 192.168.100.3'],
    ],
    { vni: 1, cidrs },
  );
  // in place of: ip n add 10.20.2.0 lladdr 52:2f:17:7c:bc:0f dev vtep0
  //              bridge fdb add 52:2f:17:7c:bc:0f dst 192.168.100.3 dev vtep0 vni 1
  await answers(one, 'ns0', '10.20.2.4');
  await answers(two, 'ns0', '10.20.1.4');
  expect(await rows(one.host.namespace, 'vtep0')).toEqual([
    '10.20.2.0 52:2f:17:7c:bc:0f',
    '52:2f:17:7c:bc:0f 192.168.100.3',
  ]);
  expect(daemon?.log.join()).toContain('set app_solicit 3');
});

// An answer on how to start a VXLAN device outside of the global namespace: made there, moved into `overlay`, renamed,
// with `learning` on and 10.0.0.1/24 on both bridges.
test('a vxlan device with learning, moved into an overlay namespace and renamed', async () => {
  const { lab, one, two } = await hosts('eth1', '192.168.10.21/24', '192.168.10.22/24');
  const script = (guest: string, guestMac: string): string => `
    ip netns add pid    # docker run --net=none
    ip netns add overlay
    ip netns exec overlay ip li ad dev br0 type bridge
    ip li add dev vxlan212 type vxlan id 42 l2miss l3miss proxy learning dstport 4789
    ip link set vxlan212 netns overlay
    ip netns exec overlay ip li set dev vxlan212 name vxlan1
    ip netns exec overlay ip li set vxlan1 master br0    # brctl addif br0 vxlan1
    ip li add dev vetha1 mtu 1450 type veth peer name vetha2 mtu 1450
    ip li set dev vetha1 netns overlay
    ip netns exec overlay ip -d li set dev vetha1 name veth2
    ip netns exec overlay ip li set veth2 master br0    # brctl addif br0 veth2
    ip netns exec overlay ip ad add dev br0 10.0.0.1/24
    ip netns exec overlay ip li set vxlan1 up
    ip netns exec overlay ip li set veth2 up
    ip netns exec overlay ip li set br0 up
    ip li set dev vetha2 netns pid
    ip netns exec pid ip li set dev vetha2 name eth1 address ${guestMac}
    ip netns exec pid ip ad add dev eth1 ${guest}/24
    ip netns exec pid ip li set dev eth1 up`;
  await Promise.all([
    one.run(script('10.0.0.2', '02:42:0a:00:00:02')),
    two.run(script('10.0.0.3', '02:42:0a:00:00:03')),
  ]);
  const [daemon] = await serve(
    lab,
    [one.room('overlay'), two.room('overlay')],
    [
      [ipKey(42, '10.0.0.2'), '02:42:0a:00:00:02 192.168.10.21'],
      [ipKey(42, '10.0.0.3'), '02:42:0a:00:00:03 192.168.10.22'],
    ],
  );
  // in place of: ip neighbor add 10.0.0.3 lladdr 02:42:0a:00:00:03 dev vxlan1 nud permanent
  //              bridge fdb add 02:42:0a:00:00:03 dev vxlan1 self dst 192.168.10.22 vni 42 port 4789
  await answers(one, 'pid', '10.0.0.3');
  await answers(two, 'pid', '10.0.0.2');
  expect(await rows(one.room('overlay'), 'vxlan1')).toEqual([
    '02:42:0a:00:00:03 192.168.10.22',
    '10.0.0.3 02:42:0a:00:00:03',
  ]);
  expect((await one.ping('pid', '10.0.0.1')).received).toBe(1);
  expect(daemon?.log.join()).toContain('learns from traffic');
});

// A look into Docker's overlay driver: its device as `ip -d link` shows it, three containers on two hosts, one subnet
// with the same gateway on every host, MACs made of the addresses. Docker pushes all entries; here they are asked for.
test('the device of a Docker overlay network, VNI 256', async () => {
  const { lab, one, two } = await hosts('eth0', '10.0.0.10/24', '10.0.0.11/24');
  const script = (containers: readonly [name: string, last: number, mac: string][]): string => `
    ip netns add xx-620dd5948
    ip netns exec xx-620dd5948 ip link add br0 type bridge
    ip netns exec xx-620dd5948 ip addr add 192.168.0.1/24 dev br0
    ip link add vxlan0 type vxlan id 256 srcport 10240 65535 dstport 4789 proxy l2miss l3miss ageing 300
    ip link set vxlan0 mtu 1450 netns xx-620dd5948
    ip netns exec xx-620dd5948 ip link set vxlan0 master br0 up
    ip netns exec xx-620dd5948 ip link set br0 up
    ${containers
      .map(
        ([name, last, mac]) => `
    ip netns add ${name}
    ip netns exec xx-620dd5948 ip link add veth${last} mtu 1450 type veth peer name eth0 mtu 1450 address ${mac} netns ${name}
    ip netns exec xx-620dd5948 ip link set veth${last} master br0 up
    ip netns exec ${name} ip addr add 192.168.0.${last}/24 dev eth0
    ip netns exec ${name} ip link set eth0 up`,
      )
      .join('')}`;
  await one.run(
    script([
      ['C0', 100, '02:42:c0:a8:00:64'],
      ['C1', 200, '02:42:c0:a8:00:c8'],
    ]),
  );
  await two.run(script([['C2', 2, '02:42:c0:a8:00:02']]));
  await serve(
    lab,
    [one.room('xx-620dd5948'), two.room('xx-620dd5948')],
    [
      [ipKey(256, '192.168.0.100'), '02:42:c0:a8:00:64 10.0.0.10'],
      [ipKey(256, '192.168.0.200'), '02:42:c0:a8:00:c8 10.0.0.10'],
      [ipKey(256, '192.168.0.2'), '02:42:c0:a8:00:02 10.0.0.11'],
    ],
  );
  await answers(two, 'C2', '192.168.0.100');
  await answers(two, 'C2', '192.168.0.200');
  await answers(one, 'C1', '192.168.0.2');
  expect((await one.ping('C0', '192.168.0.200')).received).toBe(1);
  expect(await rows(two.room('xx-620dd5948'), 'vxlan0')).toEqual([
    '02:42:c0:a8:00:64 10.0.0.10',
    '02:42:c0:a8:00:c8 10.0.0.10',
    '192.168.0.100 02:42:c0:a8:00:64',
    '192.168.0.200 02:42:c0:a8:00:c8',
  ]);
  // Both are on one host: their bridge carries that, and no entry of missd's is in the way.
  expect(await rows(one.room('xx-620dd5948'), 'vxlan0')).toEqual([
    '02:42:c0:a8:00:02 10.0.0.11',
    '192.168.0.2 02:42:c0:a8:00:02',
  ]);
});

// A walk through VXLAN by script: container network with tables kept up to date as misses come, seen with `ip monitor`.
test('tables kept up to date by misses, VNI 100 on eth1', async () => {
  const { lab, one, two } = await hosts('eth1', '192.168.0.106/24', '192.168.0.107/24');
  const script = (container: string, mac: string): string => `
    ip link add vxlan0 type vxlan id 100 dstport 4789 dev eth1 nolearning proxy l2miss l3miss
    ip link add br0 type bridge
    ip link set vxlan0 master br0
    ip link set vxlan0 up
    ip link set br0 up
    ip netns add ns1
    ip link add veth1 type veth peer name veth1-peer
    ip link set dev veth1 master br0
    ip link set dev veth1 up
    ip link set dev veth1-peer netns ns1
    ip netns exec ns1 ip link set veth1-peer name eth0
    ip netns exec ns1 ip link set eth0 address ${mac}
    ip netns exec ns1 ip link set lo up
    ip netns exec ns1 ip addr add ${container}/24 dev eth0
    ip netns exec ns1 ip link set eth0 up`;
  await Promise.all([
    one.run(script('20.0.0.1', '2a:5c:14:0b:e7:10')),
    two.run(script('20.0.0.2', 'ca:e4:02:13:01:bf')),
  ]);
  await serve(
    lab,
    [one.host.namespace, two.host.namespace],
    [
      [ipKey(100, '20.0.0.1'), '2a:5c:14:0b:e7:10 192.168.0.106'],
      [ipKey(100, '20.0.0.2'), 'ca:e4:02:13:01:bf 192.168.0.107'],
    ],
  );
  // in place of: ip neigh replace 20.0.0.2 lladdr ca:e4:02:13:01:bf dev vxlan0 nud reachable
  //              bridge fdb add ca:e4:02:13:01:bf dst 192.168.0.107 dev vxlan0
  await answers(one, 'ns1', '20.0.0.2');
  await answers(two, 'ns1', '20.0.0.1');
  expect(await rows(two.host.namespace, 'vxlan0')).toEqual([
    '20.0.0.1 2a:5c:14:0b:e7:10',
    '2a:5c:14:0b:e7:10 192.168.0.106',
  ]);
});

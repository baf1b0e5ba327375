/** What other processes and small limits of the kernel may do to the addon's sockets: many ports, forged answers, long names. */
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fdb, inside, ip, kernel, lab, listen, namespace, path } from './kernel-lab.ts';

lab();

const PORTS = 450;
const OPTMEM = 'net.core.optmem_max';
/** Of older kernels, Debian 12's among them. */
const SMALL_OPTMEM = 20_480;

const batch = (role: string, lines: readonly string[]): void => {
  execFileSync('nsenter', inside(role, 'ip -batch -'), { input: `${lines.join('\n')}\n` });
};
const sysctl = (name: string, value?: number): number =>
  Number(
    execFileSync(
      'nsenter',
      inside(
        'limits',
        `sysctl -n${value === undefined ? '' : 'w'} ${name}${value === undefined ? '' : `=${value}`}`,
      ),
      { encoding: 'utf8' },
    ),
  );

let before: number;
beforeAll(() => {
  namespace('limits');
  before = sysctl(OPTMEM);
});
// Of this namespace alone since Linux 6.8, of the machine before.
afterAll(() => {
  sysctl(OPTMEM, before);
});

test('more ports than the memory of a filter allows are heard all the same', () => {
  sysctl(OPTMEM, SMALL_OPTMEM);
  const ns = kernel.open(path('limits'), { receiveBuffer: 1 << 20 });
  const set = (count: number): void => {
    ns.setPorts(Array.from({ length: count }, (_, index) => ({ port: 100 + index, vxlan: 1 })));
  };
  expect(() => {
    // One more after the other, as containers come up.
    for (let count = PORTS - 100; count <= PORTS; count += 10) set(count);
    // And more than fit at all.
    set(PORTS * 2);
    set(PORTS);
  }).not.toThrow();
  sysctl(OPTMEM, before);
  ns.events$.subscribe().unsubscribe();
});

const FORGE = `
import socket, struct
ports = [int(line.split()[2]) for line in open('/proc/net/netlink').readlines()[1:] if line.split()[1] == '0']
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
s.bind((0, 0))
sent = 0
for port in ports:
    if port == 0 or port == s.getsockname()[0]: continue
    for seq in range(1, 40):
        # NLMSG_ERROR with errno 0: an acknowledgement.
        body = struct.pack('=i', 0) + struct.pack('=IHHII', 36, 28, 0, seq, port)
        try:
            s.sendto(struct.pack('=IHHII', 16 + len(body), 2, 0, seq, port) + body, (port, 0))
            sent += 1
        except OSError: pass
print(len(ports), sent)
`;

test('an acknowledgement that another process sends is not taken for the kernel’s', () => {
  const ns = kernel.open(path('limits'), { receiveBuffer: 1 << 20 });
  const told = execFileSync('nsenter', [...inside('limits', 'python3 -c'), FORGE], { encoding: 'utf8' });
  const [sockets = 0] = told.trim().split(' ').map(Number);
  expect(sockets).toBeGreaterThan(3);
  const [refusal] = ns.write([fdb('02:00:00:00:00:77', { ifindex: 4_000 })]);
  expect(refusal?.error.code).toBe('ENODEV');
  ns.events$.subscribe().unsubscribe();
});

const altnames = (link: string, count: number): string[] =>
  Array.from(
    { length: count },
    (_, index) => `link property add dev ${link} altname ${`${link}-${index}-`.padEnd(125, 'x')}`,
  );

test('a port with 150 alternative names is followed, and one with more than 64 KiB of them is read', async () => {
  const listener = listen('host');
  ip('host', 'link add long0 type veth peer name long1');
  ip('host', 'link set long0 master br0 up');
  batch('host', altnames('long0', 150));
  listener.clear();
  // Told by the bridge in a message that says nothing else: the link is asked for.
  execFileSync('nsenter', inside('host', 'bridge link set dev long0 mcast_flood off'));
  await listener.until((event) =>
    event.type === 'link' && event.link.name === 'long0' && event.link.bridgePort?.mcastFlood === false
      ? true
      : event.type === 'overrun'
        ? event.socket
        : undefined,
  );
  expect(listener.events.filter(({ type }) => type === 'overrun' || type === 'failed')).toEqual([]);
  batch('host', altnames('long1', 494));
  expect((await listener.ns.links()).map(({ name }) => name)).toContain('long1');
  ip('host', 'link del long0');
});

test('an entry keeps the interface by which its VTEP is reached', async () => {
  ip('limits', 'link add under0 type veth peer name under1');
  ip('limits', 'link set under0 up');
  ip('limits', 'link add vx6 type vxlan id 9 local fe80::99:1 dev under0 dstport 4789 nolearning l2miss');
  const ns = kernel.open(path('limits'), { receiveBuffer: 1 << 20 });
  try {
    const links = await ns.links();
    const index = (name: string): number => links.find((one) => one.name === name)?.ifindex ?? 0;
    const [ifindex, via] = [index('vx6'), index('under0')];
    const lladdr = '02:00:00:00:00:78';
    expect(ns.write([fdb(lladdr, { ifindex, vtep: 'fe80::99:2', via })])).toEqual([]);
    expect(ns.getFdb([{ ifindex, lladdr }])[0]).toMatchObject({ vtep: 'fe80::99:2', via });
    const bare = '02:00:00:00:00:79';
    expect(ns.write([fdb(bare, { ifindex, vtep: 'fe80::99:3' })])).toEqual([]);
    expect(ns.getFdb([{ ifindex, lladdr: bare }])[0]).not.toHaveProperty('via');
  } finally {
    ns.events$.subscribe().unsubscribe();
  }
});

test('a delete that names a VTEP finds a remote with port 0 only if it names port 0, and succeeds all the same', async () => {
  ip('limits', 'link add vx0 type vxlan id 10 local 127.0.0.1 dstport 4790 nolearning l2miss');
  const ns = kernel.open(path('limits'), { receiveBuffer: 1 << 20 });
  try {
    const ifindex = (await ns.links()).find(({ name }) => name === 'vx0')?.ifindex ?? 0;
    const lladdr = '02:00:00:00:00:80';
    const standsAfter = (op: 'create' | 'replace' | 'delete', portless: boolean): boolean => {
      expect(ns.write([fdb(lladdr, { ifindex, op, portless })])).toEqual([]);
      return ns.getFdb([{ ifindex, lladdr }])[0] !== undefined;
    };
    expect(standsAfter('create', true)).toBe(true);
    expect(standsAfter('delete', false)).toBe(true);
    // Replaced by one without NDA_PORT, as zebra does.
    expect(standsAfter('replace', false)).toBe(true);
    expect(standsAfter('delete', true)).toBe(true);
    expect(standsAfter('replace', true)).toBe(true);
    expect(standsAfter('delete', false)).toBe(true);
    expect(standsAfter('delete', true)).toBe(false);
  } finally {
    ns.events$.subscribe().unsubscribe();
  }
});

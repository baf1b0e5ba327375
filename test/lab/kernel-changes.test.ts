/** Changes of tables as the kernel tells of them; `kernel-lab.ts` draws what it runs in. */
import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import type { KernelEvent } from '../../src/kernel/kernel.ts';
import { NUD_FAILED } from '../../src/kernel/netlink.ts';
import { failures, fdb, inside, ip, kernel, lab, listen, neighbour, path, vx } from './kernel-lab.ts';

lab();

const bridge = (command: string): void => {
  execFileSync('nsenter', inside('host', `bridge ${command}`));
};

/** What was told, as `+` or `-` and the key. A neighbour that is deleted fails first. */
const told = (events: readonly KernelEvent[]): string[] =>
  events
    .flatMap((event) => (event.type === 'rows' ? event.changes : []))
    .filter(({ removed, row }) => removed || row.state !== NUD_FAILED)
    .map(({ removed, row }) => `${removed ? '-' : '+'}${'ip' in row ? row.ip : row.lladdr}`);

it('are told of watched devices: whoever writes, but for our own neighbours, and then of none', async () => {
  const listener = listen('host');
  const { ns, events } = listener;
  const until = (what: string): Promise<true> =>
    listener.until((event) => (told([event]).includes(what) ? true : undefined));
  const [ours, theirs, last] = ['02:00:00:00:07:01', '02:00:00:00:07:02', '02:00:00:00:07:03'];
  bridge('fdb add 02:00:00:00:07:00 dev vx self dst 10.99.0.2');
  ns.watchTables([vx]);
  expect(failures(ns, [fdb(ours), neighbour('20.0.0.70', { lladdr: ours })])).toEqual([]);
  ip('host', `neigh replace 20.0.0.70 lladdr ${theirs} dev vx nud permanent`);
  ip('host', `neigh add 20.0.0.71 lladdr ${theirs} dev br0 nud permanent`);
  bridge(`fdb replace ${ours} dev vx self dst 10.99.0.9 dynamic extern_learn`);
  ip('host', 'neigh del 20.0.0.70 dev vx');
  bridge(`fdb del ${ours} dev vx self`);
  await until(`-${ours}`);
  // The bridge tells of its own entries as well, and of what it learns.
  expect(told(events)).toEqual([`+${ours}`, '+20.0.0.70', `+${ours}`, '-20.0.0.70', `-${ours}`]);
  expect(
    events.flatMap((event) => (event.type === 'rows' ? event.changes.map(({ row }) => row) : [])),
  ).toContainEqual(expect.objectContaining({ lladdr: ours, vtep: '10.99.0.9', ifindex: vx }));

  ns.watchTables([]);
  bridge(`fdb add ${theirs} dev vx self dst 10.99.0.2`);
  ns.watchTables([vx]);
  bridge(`fdb add ${last} dev vx self dst 10.99.0.2`);
  await until(`+${last}`);
  expect(told(events)).not.toContain(`+${theirs}`);
  for (const mac of ['02:00:00:00:07:00', theirs, last]) bridge(`fdb del ${mac} dev vx self`);
  ip('host', 'neigh del 20.0.0.71 dev br0');
});

it('say when more came than was read', async () => {
  const listener = listen('host');
  const { ns } = listener;
  ns.watchTables([vx]);
  const other = kernel.open(path('host'), { receiveBuffer: 1 << 20 });
  const many = Array.from({ length: 40_000 }, (_, n) => `20.${n >> 16}.${(n >> 8) & 255}.${n & 255}`);
  expect(other.write(many.map((one) => neighbour(one)))).toEqual([]);
  await listener.until((event) => (event.type === 'overrun' && event.socket === 'table' ? true : undefined));
  ns.watchTables([]);
  other.write(many.map((one) => neighbour(one, { op: 'delete' })));
  other.events$.subscribe().unsubscribe();
});

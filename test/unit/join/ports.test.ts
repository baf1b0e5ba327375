import { beforeEach, expect, it } from 'vitest';
import { BridgePorts } from '../../../src/join/ports.ts';
import { link } from '../fake/world.ts';

let now = 0;
let ports: BridgePorts;
const bridge = link('br-blue', 5, { kind: 'bridge' });
const port = (ifindex: number, master: number) => link(`p${ifindex}`, ifindex, { master });

beforeEach(() => {
  now = 0;
  ports = new BridgePorts('br-blue', () => now);
  ports.learn([port(10, 5), port(11, 5), port(12, 6), bridge]);
});

it('remembers the ports that the kernel reports as without a bridge just before the bridge is gone', () => {
  ports.heard(port(10, 0), false);
  ports.heard(port(11, 0), false);
  ports.heard(bridge, true);
  expect([...ports.lost]).toEqual([
    ['p10', 10],
    ['p11', 11],
  ]);
});

it('forgets one that was taken out earlier, and one that is gone', () => {
  ports.heard(port(10, 0), false);
  now = 5_000;
  ports.heard(port(11, 0), false);
  ports.heard(bridge, true);
  expect([...ports.lost.keys()]).toEqual(['p11']);
  ports.heard(port(11, 0), true);
  expect(ports.lost.size).toBe(0);
});

it('follows the bridge that is made again', () => {
  ports.heard(bridge, true);
  const again = link('br-blue', 20, { kind: 'bridge' });
  ports.heard(again, false);
  ports.heard(port(10, 20), false);
  expect([...ports.lost.keys()]).toEqual(['p11']);
  ports.heard(again, true);
  expect([...ports.lost.keys()].sort()).toEqual(['p10', 'p11']);
});

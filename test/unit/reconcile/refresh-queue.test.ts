import { expect, test } from 'vitest';
import { RefreshQueue } from '../../../src/reconcile/refresh-queue.ts';
import { World, ip, mac, vtep } from '../fake/world.ts';

const LIFETIME = 60_000;

test('an answer keeps its age until its record has been read again', () => {
  const world = new World();
  const due = new RefreshQueue(() => world.devices, LIFETIME, world.now);
  expect(due.oldest).toBe(0);
  world.endpoint(world.device(), ip(1), mac(1), vtep(2));
  world.time += LIFETIME - 1;
  expect(due.take()).toEqual([]);
  expect(due.oldest).toBe(LIFETIME - 1);
  world.time += 2;
  const taken = due.take();
  expect(taken).toMatchObject([{ table: 'neighbour', key: ip(1), cause: 'lifetime' }]);
  due.reading(taken);
  // The directory does not answer for long.
  world.time += 5_000;
  expect(due.take()).toEqual([]);
  expect(due.oldest).toBe(LIFETIME + 5_000);
  due.read([]);
  expect(due.oldest).toBe(LIFETIME + 5_000);
  due.read(taken);
  expect(due.oldest).toBe(5_000);
});

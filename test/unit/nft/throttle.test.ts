import { PortLane } from '../../../src/model/question.ts';
import { questionsOf } from '../../../src/model/device-questions.ts';
import { beforeEach, describe, expect, it } from 'vitest';
import { NftBusy, ruleset } from '../../../src/kernel/nft/nft.ts';
import { Throttle } from '../../../src/nft/throttle.ts';
import type { ServedDevice } from '../../../src/model/device.ts';
import { FoldedLog } from '../../../src/base/log.ts';
import { GUEST, LOOKUP_RATE, World, turns } from '../fake/world.ts';
import { Asking, l3 } from '../resolver/asking.ts';

let world: World;
let device: ServedDevice;
let throttle: Throttle;
let lane: PortLane;
beforeEach(async () => {
  world = new World();
  device = world.device();
  throttle = new Throttle(LOOKUP_RATE, world.log, new FoldedLog(world.log, world.now), world.now);
  lane = new PortLane(GUEST, LOOKUP_RATE, world.time);
  throttle.begin(device);
  await turns();
});

const ports = (): number[] => world.kernel.throttled.map(({ port }) => port);
/** Seconds pass, in which the port asks for so many unknown addresses each. */
const pass = async (seconds: number, unknown = 0): Promise<void> => {
  for (let second = 0; second < seconds; second++) {
    world.time += 1_000;
    lane.unknown += unknown;
    throttle.tick();
    await turns(2);
  }
};
const offend = async (): Promise<void> => {
  throttle.offend(device, lane);
  await turns();
};

describe('a port that floods', () => {
  it('is limited when it has far exceeded its budget', async () => {
    const asking = new Asking();
    const named: number[] = [];
    asking.admission.onExcess = (_, { port }) => void named.push(port);
    await asking.miss(...Array.from({ length: 500 }, (_, n) => l3(1_000 + n)));
    for (let first = 1; first <= 20; first++) {
      expect(named).toEqual([]);
      await asking.miss(...Array.from({ length: 1_000 }, (_, n) => l3(1_000 * first + 500 + n)));
    }
    await asking.miss(...Array.from({ length: 500 }, (_, n) => l3(30_000 + n)));
    expect(new Set(named)).toEqual(new Set([GUEST]));
  });

  it('is limited in the kernel for seconds, and muted in the tap meanwhile', async () => {
    await offend();
    expect(ports()).toEqual([GUEST]);
    expect([...world.mutedTaps]).toEqual([GUEST]);
    expect(questionsOf(device).throttled).toBe(lane);
    expect(throttle.size).toBe(1);
    await pass(10);
    expect(ports()).toEqual([]);
    expect(world.mutedTaps.size).toBe(0);
    expect(questionsOf(device).throttled).toBeUndefined();
    expect(throttle.count).toBe(1);
  });

  it('is muted from before the kernel’s limit until after it', async () => {
    const mutedTaps: number[][] = [];
    world.kernel.onThrottle = () => void mutedTaps.push([...world.mutedTaps]);
    await offend();
    await pass(10);
    expect(mutedTaps).toEqual([[GUEST], [GUEST]]);
  });

  it('is unmuted when the kernel refuses the limit later', async () => {
    await offend();
    world.kernel.throttleFailure = 'nft: killed';
    await pass(60, LOOKUP_RATE / 10);
    expect(throttle.size).toBe(0);
    expect(world.mutedTaps.size).toBe(0);
    expect(questionsOf(device).throttled).toBeUndefined();
  });

  it('stays limited while it floods, without a gap', async () => {
    await offend();
    await pass(60, LOOKUP_RATE / 10);
    expect(ports()).toEqual([GUEST]);
    expect(throttle.count).toBe(1);
    await pass(20);
    expect(ports()).toEqual([]);
  });

  it('is no longer limited when its device is removed or the daemon ends', async () => {
    await offend();
    throttle.forget(device);
    await turns();
    expect(ports()).toEqual([]);
    throttle.begin(device);
    await offend();
    expect(ports()).toEqual([GUEST]);
    await throttle.stop();
    expect(ports()).toEqual([]);
  });

  it('is also unlimited in the kernel after the sockets of the namespace were closed', async () => {
    await offend();
    device.namespace.muteTap = () => {
      throw new Error('the namespace is closed');
    };
    await throttle.stop();
    expect(ports()).toEqual([]);
  });

  it('is left to user space if the kernel refuses the limit, with one log line', async () => {
    world.kernel.throttleFailure = 'nft: not found';
    await offend();
    await offend();
    await pass(3);
    expect(throttle.size).toBe(0);
    expect(world.mutedTaps.size).toBe(0);
    expect(world.lines.filter((line) => line.includes('nft: not found'))).toHaveLength(1);
  });

  it('is limited later if the kernel refused for a while', async () => {
    world.kernel.throttleFailure = 'nft: table is busy';
    await offend();
    expect(throttle.size).toBe(0);
    world.kernel.throttleFailure = undefined;
    await offend();
    expect(throttle.size).toBe(0);
    await pass(61);
    await offend();
    expect(ports()).toEqual([GUEST]);
  });

  it('that is unknown is not limited', async () => {
    throttle.offend(device, new PortLane(-1, LOOKUP_RATE, world.time));
    await turns();
    expect(ports()).toEqual([]);
  });
});

describe('the kernel', () => {
  it('removes the table of an earlier daemon at start, once a namespace', async () => {
    throttle.begin(device);
    await turns();
    expect(world.kernel.throttles).toBe(1);
  });

  it('gets the whole table or none', () => {
    expect(ruleset([], 200)).toBeUndefined();
    expect(ruleset([{ port: 7, seconds: 9.2 }], 200)).toContain('elements = { 7 timeout 10s }');
  });
});

it('is tried again later if nft could not be started', async () => {
  const told = world.kernel.throttles;
  world.kernel.throttleFailure = new NftBusy('nft cannot be started: EMFILE');
  for (let n = 0; n < 10; n++) await offend();
  expect(world.kernel.throttles).toBe(told + 1);
  expect(throttle.size).toBe(0);
  world.kernel.throttleFailure = undefined;
  world.time += 1_000;
  await offend();
  expect(ports()).toEqual([GUEST]);
});

/**
 * That a change makes missd slow should be noticed here, and that a machine is busy should not: missd is compared with
 * the floor of the bench in the same minutes, the factors are generous, and the best of several rounds counts, since
 * what is slow is slow in all of them.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Field } from '../bench/field.ts';
import { flurry } from '../bench/flurry.ts';
import { probe } from '../bench/probe.ts';
import { address } from '../bench/rule.ts';
import { type Contender, FLOOR_REDIS, MISSD_REDIS, contenders } from '../bench/seat.ts';
import { median } from '../bench/statistics.ts';

const ROUNDS = 5;
/** New pairs in each round; all rounds together stay below the kernel's limit for guests' neighbours. */
const PAIRS = 40;
const STORM = 4_000;
/** Times the floor with Redis. */
const SLOW = { added: 12, cpu: 6 };

let field: Field;
let missd: Contender;
let floor: Contender;

beforeAll(async () => {
  field = await Field.open();
  await field.publish('bridged', (ROUNDS + 1) * (PAIRS + STORM));
  const everybody = await contenders(field);
  const named = (name: string): Contender => {
    const found = everybody.find((one) => one.name === name);
    if (found === undefined) throw new Error(`nobody is called ${name}`);
    return found;
  };
  [missd, floor] = [named(MISSD_REDIS), named(FLOOR_REDIS)];
});
afterAll(async () => (field as Field | undefined)?.close());

/** The lowest of several ratios, measured by turns after a round that does not count. */
async function best(measure: (one: Contender, round: number) => Promise<number>): Promise<number> {
  const ratios: number[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const by = await measure(floor, round);
    const took = await measure(missd, round);
    if (round > 0) ratios.push(took / by);
  }
  console.log(`× floor with Redis: ${ratios.map((ratio) => ratio.toFixed(1)).join(', ')}`);
  return Math.min(...ratios);
}

test('the first packet is not held up much longer than by a responder in C', async () => {
  const added = await best(async ({ seat, kind }, round) => {
    const { guest } = seat.stand;
    const found = await probe(field, guest.namespace, address('bridged', kind, round * PAIRS), PAIRS);
    await guest.forgetNeighbours();
    expect(found.lost).toBe(0);
    return median(found.added);
  });
  expect(added).toBeLessThan(SLOW.added);
});

test('a miss in a storm does not cost much more than with a responder in C', async () => {
  const from = (ROUNDS + 1) * PAIRS;
  const cpu = await best(async (one, round) => {
    const first = from + round * STORM;
    const found = await flurry(field, one, { topology: 'bridged', first, distinct: STORM });
    expect(found.resolved).toBe(STORM);
    return found.cpu;
  });
  expect(cpu).toBeLessThan(SLOW.cpu);
});

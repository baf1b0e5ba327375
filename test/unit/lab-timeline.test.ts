import { expect, test } from 'vitest';
import { timeline } from '../../src/lab/demo.ts';

/** Counters' growth, by name and the value of their one label. */
const since =
  (growth: Record<string, number>) =>
  (name: string, labels?: Record<string, string>): number =>
    growth[`${name} ${Object.values(labels ?? {}).join()}`.trim()] ?? 0;

test('the demo shows the time of this miss, not of later lookups, and no part is longer than the whole', () => {
  const growth = {
    'missd_resolutions_total l3,resolved': 1,
    missd_resolution_seconds_sum: 0.00188,
    missd_resolution_seconds_count: 1,
    'missd_stage_seconds_sum lookup': 0.0009,
    'missd_stage_seconds_count lookup': 1,
    missd_directory_lookup_seconds_sum: 0.00852,
    missd_directory_lookup_seconds_count: 2,
    'missd_announcements_total sent': 1,
  };
  expect(timeline(since(growth))).toBe(
    '1 L3 miss → Redis answered in 0.90 ms → FDB entry and neighbour written 1.88 ms after the miss → ' +
      '1 announcement to the guest that asked',
  );
  const odd = timeline(since({ ...growth, 'missd_stage_seconds_sum lookup': 0.5 }));
  expect(odd).toContain('Redis answered in 1.88 ms → FDB entry and neighbour written 1.88 ms');
});

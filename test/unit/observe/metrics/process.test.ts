import perfHooks from 'node:perf_hooks';
import { expect, test, vi } from 'vitest';
import { Metrics, OPEN_METRICS, TEXT } from '../../../../src/observe/metrics/metrics.ts';
import { publishProcess } from '../../../../src/observe/metrics/process.ts';

const published = (): Metrics => {
  const metrics = new Metrics();
  publishProcess(metrics);
  return metrics;
};

/** The first: what watches the process begins with it. */
test('the observers of the process start once, and do not keep the process running', () => {
  const monitor = vi.spyOn(perfHooks, 'monitorEventLoopDelay');
  const observe = vi.spyOn(perfHooks.PerformanceObserver.prototype, 'observe');
  const interval = vi.spyOn(globalThis, 'setInterval');
  const alive = process.getActiveResourcesInfo();
  published();
  published();
  expect([monitor, observe, interval].map(({ mock }) => mock.calls.length)).toEqual([1, 1, 1]);
  expect(process.getActiveResourcesInfo()).toEqual(alive);
});

test.each([TEXT, OPEN_METRICS])('%s has the usual metrics of a process and of Node', async (type) => {
  const text = await published().render(type);
  for (const name of [
    'process_cpu_seconds_total',
    'process_resident_memory_bytes',
    'process_virtual_memory_bytes',
    'process_start_time_seconds',
    'process_open_fds',
    'process_max_fds',
    'nodejs_heap_size_used_bytes',
    'nodejs_external_memory_bytes',
    'nodejs_active_handles\\{type="\\w+"\\}',
  ])
    expect(text).toMatch(new RegExp(`^${name} [\\d.]*[1-9]`, 'm'));
});

test('no gauge has the suffix of a counter, and every counter has it', async () => {
  const text = await published().render(TEXT);
  const types = [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)];
  expect(types.length).toBeGreaterThan(15);
  for (const [, name = '', type = ''] of types)
    expect(name.endsWith('_total'), `${name} ${type}`).toBe(type === 'counter');
});

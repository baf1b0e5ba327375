/** `/metrics` as a scraper gets it. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type HttpService, listen } from '../../../../src/observe/http/server.ts';
import { Metrics, OPEN_METRICS, TEXT } from '../../../../src/observe/metrics/metrics.ts';
import { daemonOnFakes } from '../../fake/daemon.ts';

const PROMETHEUS =
  'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1';

let metrics: Metrics;
let service: HttpService;
beforeEach(async () => {
  metrics = new Metrics();
  service = await listen({ host: '127.0.0.1', port: 0 }, daemonOnFakes(), metrics);
});
afterEach(() => {
  service.close();
});

const scrape = (accept: string): Promise<Response> =>
  fetch(`http://127.0.0.1:${service.port}/metrics`, { headers: { accept } });

test('Prometheus gets OpenMetrics, other clients the text format', async () => {
  metrics.counter('a_total', 'What it is', () => 7);
  const asked = await scrape(PROMETHEUS);
  expect(asked.headers.get('content-type')).toBe(OPEN_METRICS);
  expect(await asked.text()).toBe('# HELP a What it is\n# TYPE a counter\na_total 7\n# EOF\n');
  const other = await scrape('*/*');
  expect(other.headers.get('content-type')).toBe(TEXT);
  expect(await other.text()).toBe('# HELP a_total What it is\n# TYPE a_total counter\na_total 7\n');
});

test('simultaneous requests for a format share one rendering', async () => {
  const begun: string[] = [];
  let finish = (): void => undefined;
  const held = new Promise<void>((resolve) => (finish = resolve));
  const render = metrics.render.bind(metrics);
  vi.spyOn(metrics, 'render').mockImplementation(async (type) => {
    begun.push(type);
    await held;
    return render(type);
  });
  const asked = [PROMETHEUS, '*/*', PROMETHEUS, '*/*'].map(scrape);
  await vi.waitFor(() => {
    expect(begun).toHaveLength(2);
  });
  // Every one of them has been taken when one that came later is answered.
  await fetch(`http://127.0.0.1:${service.port}/healthz`);
  finish();
  const types = (await Promise.all(asked)).map(({ headers }) => headers.get('content-type'));
  expect(types).toEqual([OPEN_METRICS, TEXT, OPEN_METRICS, TEXT]);
  expect(begun.sort()).toEqual([OPEN_METRICS, TEXT].sort());
});

test('a metric that cannot be read is an error with its reason, and the next scrape is complete', async () => {
  let broken = true;
  metrics.gauge('a', 'May fail', () => {
    if (broken) throw new Error('no such table');
    return 1;
  });
  const failed = await scrape('*/*');
  expect([failed.status, await failed.text()]).toEqual([500, 'no such table\n']);
  broken = false;
  expect(await (await scrape('*/*')).text()).toContain('\na 1\n');
});

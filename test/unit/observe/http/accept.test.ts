import { expect, test } from 'vitest';
import { metricsTypeOf } from '../../../../src/observe/http/accept.ts';
import { OPEN_METRICS, TEXT } from '../../../../src/observe/metrics/metrics.ts';

test.each([
  [
    'Prometheus 2',
    'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
    OPEN_METRICS,
  ],
  [
    'Prometheus 3',
    'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1',
    OPEN_METRICS,
  ],
  [
    'a Prometheus that prefers the text format',
    'text/plain;version=0.0.4;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1',
    TEXT,
  ],
  ['OpenMetrics of any version', 'application/openmetrics-text', OPEN_METRICS],
  [
    'as HTTP may write it',
    'Text/Plain; q=0.1 , Application/OpenMetrics-Text ; Version=1.0.0 ; Q=0.2',
    OPEN_METRICS,
  ],
  ['a version of OpenMetrics that is not served', 'application/openmetrics-text;version=0.0.1', TEXT],
  ['OpenMetrics refused', 'application/openmetrics-text;q=0', TEXT],
  ['a weight that is none', 'application/openmetrics-text;q=high', TEXT],
  ['a browser', 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8', TEXT],
  ['curl', '*/*', TEXT],
  ['no header', undefined, TEXT],
  ['an empty one', ',;=', TEXT],
])('%s', (_, accept, type) => {
  expect(metricsTypeOf(accept)).toBe(type);
});

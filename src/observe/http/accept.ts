/** Which format of the metrics a scraper asks for (RFC 9110, 12.5.1). */
import { type ContentType, OPEN_METRICS, TEXT } from '../metrics/metrics.ts';

/** Prometheus names every version that it knows, each with a weight. */
export function metricsTypeOf(accept = ''): ContentType {
  let openMetrics = 0;
  let text = 0;
  for (const range of accept.split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const { q, version } = Object.fromEntries(parameters.map((one) => one.split(/\s*=\s*/))) as Ranged;
    const weight = Number(q ?? 1);
    if (type === 'application/openmetrics-text' && (version ?? '1.0.0') === '1.0.0')
      openMetrics = Math.max(openMetrics, weight);
    else if (type === 'text/plain') text = Math.max(text, weight);
  }
  return openMetrics > 0 && openMetrics >= text ? OPEN_METRICS : TEXT;
}

interface Ranged {
  q?: string;
  version?: string;
}

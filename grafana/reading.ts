/** The dashboard read back from its JSON: what it asks Prometheus for, with the variables as somebody who chose nothing has them. */

export interface ReadPanel {
  title: string;
  /** Of the row it is in. */
  row: string;
  type: 'row' | 'stat' | 'timeseries' | 'table';
  unit: string;
  stacked: boolean;
  place: { x: number; y: number; w: number; h: number };
  /** Text for a value, where it is not a number that matters. */
  words: Record<string, { text: string; color: string }>;
  /** Colours from so much on; the first without. */
  steps: { value: number | null; color: string }[];
  queries: { expr: string; legend: string }[];
}

interface Json {
  panels: {
    title: string;
    type: ReadPanel['type'];
    gridPos: ReadPanel['place'];
    targets?: { expr: string; legendFormat: string }[];
    fieldConfig?: {
      defaults: {
        unit?: string;
        mappings?: { options: ReadPanel['words'] }[];
        thresholds?: { steps: ReadPanel['steps'] };
        custom?: { stacking?: { mode?: string } };
      };
    };
  }[];
}

/** @param window for `$__rate_interval` */
export function panelsOf(json: string, window = '10s'): ReadPanel[] {
  const panels: ReadPanel[] = [];
  let row = '';
  for (const { title, type, gridPos, targets = [], fieldConfig } of (JSON.parse(json) as Json).panels) {
    if (type === 'row') {
      row = title;
      continue;
    }
    const { unit = 'none', mappings = [], thresholds, custom } = fieldConfig?.defaults ?? {};
    panels.push({
      ...{ title, row, type, unit, place: gridPos },
      stacked: custom?.stacking?.mode === 'normal',
      words: mappings[0]?.options ?? {},
      steps: thresholds?.steps ?? [],
      queries: targets.map(({ expr, legendFormat }) => ({
        expr: chosen(expr, window),
        legend: legendFormat,
      })),
    });
  }
  return panels;
}

const chosen = (expr: string, window: string): string =>
  expr.replaceAll('$__rate_interval', window).replaceAll(/\$(job|instance|device)\b/g, '.*');

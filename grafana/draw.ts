/** Panels with their data as one SVG. It brings its own dark ground, so that it can be read on any. */
import type { ReadPanel } from './reading.ts';

export interface Drawn {
  panel: ReadPanel;
  lines: { name: string; labels: Record<string, string>; points: [at: number, value: number][] }[];
}

const WIDTH = 1200;
const COLUMN = WIDTH / 24;
const UNIT = 19;
const GAP = 6;
const PAD = { left: 50, right: 8, top: 24, bottom: 20 };
const PALETTE = [
  '#73bf69',
  '#f2cc0c',
  '#5794f2',
  '#ff9830',
  '#f2495c',
  '#b877d9',
  '#37b3b3',
  '#fa6400',
  '#8ab8ff',
  '#c0d8ff',
];
const COLOURS: Record<string, string> = { green: '#73bf69', orange: '#ff9830', red: '#f2495c' };
const STYLE =
  'text{font:11px sans-serif;fill:#ccccdc}.t{font-weight:600;font-size:12px}.r{font-size:15px;font-weight:600}' +
  '.a{fill:#8e8e9c;font-size:10px}.b{font-size:22px;font-weight:600}.p{fill:#181b1f;stroke:#2c3036}.g{stroke:#2c3036}' +
  'path{fill:none;stroke-width:1.4;stroke-linejoin:round}';

export function draw(all: readonly Drawn[]): string {
  const parts: string[] = [];
  // Rows of the dashboard have a line of their own there; here as well.
  let row = '';
  for (const { panel, lines } of all) {
    const { x, y, w, h } = panel.place;
    if (panel.row !== row) {
      row = panel.row;
      parts.push(text(4, (y - 1) * UNIT + 15, row, 'r'));
    }
    const body =
      panel.type === 'stat' ? big(panel, lines) : panel.type === 'table' ? table(lines) : graph(panel, lines);
    parts.push(
      `<svg x="${x * COLUMN}" y="${y * UNIT}" width="${w * COLUMN - GAP}" height="${h * UNIT - GAP}">` +
        `<rect class="p" x=".5" y=".5" width="${w * COLUMN - GAP - 1}" height="${h * UNIT - GAP - 1}" rx="3"/>` +
        `${text(8, 16, panel.title, 't')}${body}</svg>`,
    );
  }
  const height = Math.max(...all.map(({ panel: { place } }) => (place.y + place.h) * UNIT));
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="-8 -4 ${WIDTH + 10} ${height + 4}" role="img" ` +
    `aria-label="Panels of the missd dashboard while Redis stands still for seven seconds"><style>${STYLE}</style>` +
    `<rect x="-8" y="-4" width="${WIDTH + 10}" height="${height + 4}" fill="#111217"/>${parts.join('\n')}</svg>\n`
  );
}

const text = (x: number, y: number, what: string, css: string, more = ''): string =>
  `<text x="${x.toFixed(0)}" y="${y.toFixed(0)}" class="${css}"${more}>${what.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</text>`;

/** The last value of each, as Grafana shows it. */
function big({ unit, words, steps, place }: ReadPanel, lines: Drawn['lines']): string {
  return lines
    .map(({ points }, index) => {
      const value = points.at(-1)?.[1] ?? NaN;
      const word = words[String(value)];
      const step = steps.findLast((one) => one.value === null || value >= one.value);
      const colour = COLOURS[word?.color ?? step?.color ?? 'green'] ?? '#73bf69';
      const x = ((index + 0.5) / lines.length) * (place.w * COLUMN - GAP);
      return text(
        x,
        50,
        word?.text ?? printed(value, unit),
        'b',
        ` text-anchor="middle" style="fill:${colour}"`,
      );
    })
    .join('');
}

function table(lines: Drawn['lines']): string {
  return lines
    .map(({ labels, points }, index) => {
      const { instance = '', device = '', vni = '', strategy = '', topology = '' } = labels;
      const cells = [
        instance,
        device,
        `VNI ${vni}`,
        strategy,
        topology,
        `${points.at(-1)?.[1] ?? ''} neighbours`,
      ];
      return cells.map((cell, at) => text(8 + at * 190, 40 + index * 18, cell, '')).join('');
    })
    .join('');
}

function graph({ unit, stacked, place }: ReadPanel, all: Drawn['lines']): string {
  const [width, height] = [place.w * COLUMN - GAP, place.h * UNIT - GAP];
  const some = all.filter(({ points }) => points.some(([, value]) => value > 0));
  const from = Math.min(...all.flatMap(({ points }) => points[0]?.[0] ?? []));
  const to = Math.max(...all.flatMap(({ points }) => points.at(-1)?.[0] ?? []));
  const below = new Map<number, number>();
  const shown = some.map(({ name, points }) => ({
    name,
    points: points
      .filter(([, value]) => Number.isFinite(value))
      .map(([at, value]): [at: number, value: number, under: number] => {
        const under = stacked ? (below.get(at) ?? 0) : 0;
        below.set(at, under + value);
        return [at, under + value, under];
      }),
  }));
  const top = nice(Math.max(...shown.flatMap(({ points }) => points.map(([, value]) => value)), 0));
  const x = (at: number): number => PAD.left + ((at - from) / (to - from)) * (width - PAD.left - PAD.right);
  const y = (value: number): number => height - PAD.bottom - (value / top) * (height - PAD.top - PAD.bottom);
  const grid = [0, 0.5, 1].map(
    (quota) =>
      `<line class="g" x1="${PAD.left}" x2="${width - PAD.right}" y1="${y(top * quota).toFixed(0)}" y2="${y(top * quota).toFixed(0)}"/>` +
      text(PAD.left - 5, y(top * quota) + 4, printed(top * quota, unit), 'a', ' text-anchor="end"'),
  );
  const line = (points: readonly (readonly [at: number, value: number])[], move = 'M'): string =>
    points
      .map(([at, value], n) => `${n === 0 ? move : 'L'}${x(at).toFixed(0)} ${y(value).toFixed(1)}`)
      .join('');
  const paths = shown.map(({ points }, index) => {
    const over = line(points.map(([at, value]) => [at, value]));
    const under = line(points.map(([at, , value]) => [at, value] as const).reverse(), 'L');
    const area = stacked
      ? `<path style="fill:${colourOf(index)};stroke:none;opacity:.35" d="${over}${under}Z"/>`
      : '';
    return `${area}<path stroke="${colourOf(index)}" d="${over}"/>`;
  });
  return (
    grid.join('') +
    paths.join('') +
    legend(
      shown.map(({ name }) => name),
      width,
      height,
    )
  );
}

/** As many names as there is room for. */
function legend(names: readonly string[], width: number, height: number): string {
  if (names.length === 0) return text(PAD.left, height - 6, 'nothing happened', 'a');
  let x = 10;
  return names
    .map((name, index) => {
      const room = 22 + name.length * 5.6;
      if (x + room > width) return '';
      const entry = `<rect x="${x.toFixed(0)}" y="${height - 12}" width="8" height="3" fill="${colourOf(index)}"/>${text(x + 11, height - 7, name, 'a')}`;
      x += room;
      return entry;
    })
    .join('');
}

const colourOf = (index: number): string => PALETTE[index % PALETTE.length] ?? '#ccccdc';

/** The next of 1, 2 and 5 times a power of ten. */
function nice(most: number): number {
  if (most <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return power * ([1, 2, 5].find((step) => step * power >= most * 0.999) ?? 10);
}

function printed(value: number, unit: string): string {
  const short = (number: number): string => String(Number(number.toPrecision(3)));
  if (unit === 's')
    return value >= 1 || value === 0
      ? `${short(value)} s`
      : value >= 1e-3
        ? `${short(value * 1e3)} ms`
        : `${short(value * 1e6)} µs`;
  if (unit === 'percentunit') return `${short(value * 100)} %`;
  if (unit === 'bytes') return `${short(value / 2 ** 20)} MiB`;
  return `${short(value)}${unit === 'ops' ? '/s' : ''}`;
}

/** The upper part of the screen: health, rates, latency and use of the tables. */
import { audited, latencyOf } from './status-words.ts';
import { harmless } from '../screen/columns.ts';
import { cut } from '../screen/cut.ts';
import { fields } from '../screen/fields.ts';
import { count, rate } from '../screen/number.ts';
import type { Palette } from '../screen/palette.ts';
import { duration } from '../screen/span.ts';
import type { Cell, Paint } from '../screen/table.ts';
import { type Frame, percentiles, sum } from './rates.ts';

const LABEL = 11;
/** Fixed widths, so that growing numbers do not move the columns. */
const RATE = 8;

export function summary(frame: Frame, every: number, width: number, palette: Palette): string[] {
  const { bold } = palette;
  const labelled = (label: string, items: readonly Cell[]): string =>
    bold(label.padEnd(LABEL)) + fields(items, width - LABEL);
  const lines = [
    title(frame, every, width, palette),
    labelled('directory', directory(frame, palette)),
    ...rates(frame, width, palette),
    labelled('latency', latency(frame)),
    labelled('entries', entries(frame, palette)),
    labelled('troubles', troubles(frame, palette)),
  ];
  if (frame.status.publishing.length > 0) lines.push(labelled('publishing', publishing(frame, palette)));
  const [first, ...more] = frame.status.unserved;
  if (first !== undefined) {
    const others = more.length === 0 ? '' : ` (${more.length} more: missd status)`;
    const room = width - LABEL - others.length;
    const what = cut(harmless(`${first.name}: ${first.reason}`), room) + others;
    lines.push(bold('not served'.padEnd(LABEL)) + palette.yellow(cut(what, width - LABEL)));
  }
  return lines;
}

function title({ status, time }: Frame, every: number, width: number, palette: Palette): string {
  const { version, pid, uptime, ready, missing } = status;
  const clock = `${time.toTimeString().slice(0, 8)}  every ${every} s`;
  const left = [`missd ${version}`, `pid ${pid}`, `up ${duration(uptime)}`].join('   ');
  const room = width - left.length - clock.length - 6;
  const state = cut(harmless(ready ? 'ready' : `not ready: ${missing.join('; ')}`), Math.max(0, room));
  const space = ' '.repeat(Math.max(3, room - state.length + 3));
  const whole = `${left}   ${state}${space}${clock}`;
  if (whole.length > width) return cut(whole, width);
  return `${palette.bold(left)}   ${ready ? palette.green(state) : palette.yellow(state)}${space}${palette.dim(clock)}`;
}

function directory({ status: { directory: one } }: Frame, { green, red }: Palette): Cell[] {
  const where = `${one.kind} ${one.address}`;
  const state: Cell = one.up
    ? [`up for ${duration(one.forSeconds)}`, green]
    : [`down for ${duration(one.forSeconds)}: ${one.reason ?? ''}`, red];
  return [state, where];
}

function rates({ since }: Frame, width: number, { bold, yellow, red }: Palette): string[] {
  const { misses = {}, resolutions = {}, ignored = {} } = since ?? {};
  const columns: [title: string, value: number | undefined, alarm?: Paint][] = [
    ['L3/S', misses['l3']],
    ['L2/S', misses['l2']],
    ['RESOLVED', resolutions['resolved']],
    ['UNKNOWN', resolutions['unknown'], yellow],
    ['FAILED', resolutions['failed'], red],
    ['DROPPED', resolutions['shed'], red],
    ['LOCAL', resolutions['local']],
    ['IGNORED', since && sum(ignored)],
  ];
  const shown = columns.slice(0, Math.max(1, Math.floor((width + 2) / (RATE + 2))));
  const line = (cells: readonly string[]): string => cells.join('  ');
  return [
    bold(line(shown.map(([name]) => name.padStart(RATE)))),
    line(
      shown.map(([, value, alarm]) => {
        const text = (value === undefined ? '-' : rate(value)).padStart(RATE);
        return alarm !== undefined && (value ?? 0) > 0 ? alarm(text) : text;
      }),
    ),
  ];
}

function latency({ since, status: { latency: all } }: Frame): Cell[] {
  const { bounds } = all.resolution;
  const started = percentiles(all.resolution);
  const now = since?.resolution;
  const lookup = since?.lookup;
  return [
    `p50 ${latencyOf(now?.p50, bounds)}`,
    `p90 ${latencyOf(now?.p90, bounds)}`,
    `p99 ${latencyOf(now?.p99, bounds)}`,
    `since the start ${[started.p50, started.p90, started.p99].map((one) => latencyOf(one, bounds)).join(' / ')}`,
    `lookups p50 ${latencyOf(lookup?.p50, all.lookup.bounds)} p99 ${latencyOf(lookup?.p99, all.lookup.bounds)}`,
  ];
}

function entries({ status }: Frame, { yellow }: Palette): Cell[] {
  const { entries: all, inFlight, devices } = status;
  const absent = devices.reduce((total, one) => total + one.absent, 0);
  const audits = devices.flatMap(({ up, auditedSeconds }) => (up ? [auditedSeconds ?? Infinity] : []));
  const held = `${count(all.held)} of ${count(all.most)}`;
  return [
    all.held >= all.most * 0.9 ? [held, yellow] : held,
    `negative ${count(absent)}`,
    `in flight ${count(inFlight)}`,
    ...(audits.length === 0 ? [] : [audited(Math.max(...audits))]),
    `evicted ${count(sum(status.evictions))}`,
  ];
}

function publishing({ status: { publishing: networks } }: Frame, { yellow, red }: Palette): Cell[] {
  const total = (of: (one: (typeof networks)[number]) => number): number =>
    networks.reduce((before, one) => before + of(one), 0);
  const without = networks.filter(({ loss }) => loss !== undefined);
  const refused = total((one) => sum(one.refused));
  return [
    ...without
      .slice(0, 1)
      .map(({ network, loss = '' }): Cell => [harmless(`${network}: lease ${loss}`), red]),
    `${count(total(({ guests }) => guests))} guests`,
    `${count(total(({ addresses }) => addresses))} addresses`,
    ...(refused === 0 ? [] : [[`refused ${count(refused)}`, yellow] satisfies Cell]),
    `networks ${networks.length}`,
  ];
}

/** Problems of the daemon, as cells in colour. */
function troubles({ status }: Frame, { red, yellow, green }: Palette): Cell[] {
  const found: Cell[] = [];
  const { guard, throttled, shed } = status;
  if (guard.length > 0) {
    const kept = guard.reduce((total, { entries: of }) => total + of, 0);
    const left = Math.min(...guard.map(({ forSeconds }) => forSeconds));
    found.push([`withdrawal guard: ${count(kept)} entries for ${duration(left)} more`, red]);
  }
  if (throttled.length > 0)
    found.push([
      `throttled ${throttled
        .map(({ port }) => port)
        .slice(0, 3)
        .join(' ')}`,
      red,
    ]);
  const overruns = sum(status.overruns);
  if (overruns > 0) found.push([`overruns ${count(overruns)}`, yellow]);
  for (const { port, shed: dropped } of shed.slice(0, 3))
    found.push([`dropped ${count(dropped)} of ${port}`, yellow]);
  const conflicts = sum(status.conflicts);
  if (conflicts > 0) found.push([`conflicts ${count(conflicts)}`, yellow]);
  const refused = sum(status.writeFailures);
  if (refused > 0) found.push([`writes refused ${count(refused)}`, yellow]);
  return found.length === 0 ? [['none: no overrun, no dropped miss, no guard, no conflict', green]] : found;
}

/** A daemon's status for people. Pure: the same status at the same width is the same text. */
import { audited, deviceState, latencyOf } from '../top/status-words.ts';
import type { DeviceStatus } from '../observe/http/device-status.ts';
import type { Distribution, Status } from '../observe/http/status.ts';
import { quantile } from '../observe/metrics/quantile.ts';
import { harmless } from '../screen/columns.ts';
import { count, megabytes } from '../screen/number.ts';
import type { Palette } from '../screen/palette.ts';
import { duration } from '../screen/span.ts';
import { type Cell, type Column, type Paint, table } from '../screen/table.ts';
import { wrapped } from '../screen/wrap.ts';

/** Prose in longer lines is hard to read. */
const READABLE = 120;
/** Of the longest unknown addresses; `missd top` and `--json` have more. */
const MOST_UNKNOWN = 5;
/** Of ports and of what is waited for. */
const MOST_NAMED = 5;
const LABEL = 11;

const DEVICES: Column[] = [
  { title: 'DEVICE', least: 8 },
  { title: 'NAMESPACE', least: 9 },
  { title: 'VNI', right: true },
  { title: 'NEIGHBOURS', right: true },
  { title: 'FDB', right: true },
  { title: 'ROUTES', right: true, optional: true },
  { title: 'NEGATIVE', right: true, optional: true },
  { title: 'STATE', least: 12 },
  { title: 'LOCAL', optional: true },
];

const NETWORKS: Column[] = [
  { title: 'NETWORK', least: 7 },
  { title: 'DEVICE', least: 8 },
  { title: 'BRIDGE', least: 8 },
  { title: 'VTEP' },
  { title: 'MTU', right: true },
  { title: 'PREFIX', optional: true },
  { title: 'STATE', prose: true },
];

const PUBLISHING: Column[] = [
  { title: 'PUBLISHED IN', least: 7 },
  { title: 'AS HOST', least: 8 },
  { title: 'LEASE', right: true },
  { title: 'GUESTS', right: true },
  { title: 'ADDRESSES', right: true },
  { title: 'REFUSED', prose: true },
];

const UNSERVED: Column[] = [
  { title: 'NOT SERVED', least: 10 },
  { title: 'NAMESPACE', least: 9 },
  { title: 'VNI', right: true },
  { title: 'WHY', prose: true },
];

const UNKNOWN: Column[] = [
  { title: 'UNRESOLVED' },
  { title: 'VNI', right: true },
  { title: 'FOR', right: true },
  { title: 'ASKED', right: true },
  { title: 'LAST', right: true },
  { title: 'BY PORT', least: 7 },
  { title: 'NAMESPACE', least: 9, optional: true },
];

/** @param width characters in a line, Infinity for any */
export function showStatus(status: Status, width: number, palette: Palette): string {
  const blocks = [summary(status, width, palette)];
  const add = (columns: Column[], rows: Cell[][], limit = width): void => {
    if (rows.length > 0) blocks.push(table(columns, rows, limit, palette));
  };
  const readable = width === Infinity ? width : Math.min(width, READABLE);
  if (status.devices.length === 0) blocks.push([palette.yellow('no VXLAN device is served')]);
  add(
    DEVICES,
    status.devices.map((one) => deviceRow(one, palette)),
  );
  add(
    NETWORKS,
    status.networks.map((one) => networkRow(one, palette)),
    readable,
  );
  add(
    PUBLISHING,
    status.publishing.map((one) => publishRow(one, palette)),
    readable,
  );
  add(
    UNSERVED,
    status.unserved.map(({ name, namespace, vni, reason }) => [
      name,
      namespace,
      vni === undefined ? '' : String(vni),
      [reason, palette.yellow],
    ]),
    readable,
  );
  add(
    UNKNOWN,
    status.unknown
      .slice(0, MOST_UNKNOWN)
      .map(({ address, vni, firstSeconds, asked, lastSeconds, port, namespace }) => [
        address,
        String(vni),
        duration(firstSeconds),
        count(asked),
        `${duration(lastSeconds)} ago`,
        port ?? '-',
        namespace,
      ]),
  );
  return `${blocks.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

function summary(status: Status, width: number, palette: Palette): string[] {
  const { green, yellow, red } = palette;
  const { directory, entries, latency, devices } = status;
  const { l2 = {}, l3 = {} } = status.resolutions;
  const lines: string[] = [];
  const say = (label: string, text: string, paint: Paint = (plain) => plain): void => {
    const words = wrapped(harmless(text).split(' '), Math.min(width, READABLE) - LABEL);
    for (const [at, line] of words.entries()) lines.push((at === 0 ? label : '').padEnd(LABEL) + paint(line));
  };
  const { version, pid, uptime, memory } = status;
  say('missd', `${version}, pid ${pid}, up for ${duration(uptime)}, ${megabytes(memory)}`);
  if (status.ready) say('state', 'ready', green);
  else say('state', `not ready: ${few(status.missing).join('; ')}`, yellow);
  const where = `${directory.kind} ${directory.address}`;
  if (directory.up) say('directory', `${where}, up for ${duration(directory.forSeconds)}`, green);
  else
    say('directory', `${where}, down for ${duration(directory.forSeconds)}: ${directory.reason ?? ''}`, red);
  const audits = devices.flatMap(({ up, auditedSeconds }) => (up ? [auditedSeconds ?? Infinity] : []));
  say(
    'entries',
    `${count(entries.held)} of at most ${count(entries.most)}${audits.length === 0 ? '' : `, ${audited(Math.max(...audits))}`}`,
  );
  say(
    'misses',
    `L3 ${count(status.misses['l3'] ?? 0)}, L2 ${count(status.misses['l2'] ?? 0)}, in flight ${count(status.inFlight)}`,
  );
  say('answered', `L3 ${counts(l3)}`);
  say('', `L2 ${counts(l2)}`);
  say('latency', `miss to entry ${percentiles(latency.resolution)}`);
  say('', `directory ${percentiles(latency.lookup)}`);
  say('ignored', counts(status.ignored));
  say('announced', counts(status.announcements));
  say('conflicts', counts(status.conflicts), happened(status.conflicts) ? yellow : undefined);
  say('evicted', counts(status.evictions), happened(status.evictions) ? yellow : undefined);
  say('overruns', counts(status.overruns), happened(status.overruns) ? yellow : undefined);
  if (happened(status.writeFailures)) say('refused', counts(status.writeFailures), red);
  for (const { vni, entries: kept, forSeconds } of status.guard)
    say(
      'guard',
      `VNI ${vni}: ${count(kept)} entries have lost their records and stay for ${duration(forSeconds)} more`,
      red,
    );
  if (status.throttled.length > 0)
    say('throttled', few(status.throttled.map(({ port, device }) => `${port} of ${device}`)).join(', '), red);
  if (status.shed.length > 0)
    say(
      'dropped',
      few(status.shed.map(({ port, device, shed }) => `${count(shed)} from ${port} of ${device}`)).join(', '),
      yellow,
    );
  return lines;
}

/** The first of what may be many, and how many more. */
function few(of: readonly string[]): string[] {
  return of.length <= MOST_NAMED ? [...of] : [...of.slice(0, MOST_NAMED), `${of.length - MOST_NAMED} more`];
}

function deviceRow(one: DeviceStatus, palette: Palette): Cell[] {
  const { name, namespace, vni, neighbours, fdb, routes, absent, local } = one;
  return [
    name,
    namespace,
    String(vni),
    count(neighbours),
    count(fdb),
    count(routes),
    count(absent),
    deviceState(one, palette),
    local ?? '-',
  ];
}

function networkRow(one: Status['networks'][number], palette: Palette): Cell[] {
  const { network, state } = one;
  if (state !== 'joined')
    return [network, '-', '-', '-', '-', '-', [`${state}: ${one.reason}`, palette.yellow]];
  const { device, bridge, vtep, mtu, prefix = '-' } = one;
  return [network, device, bridge, vtep, String(mtu), prefix, [state, palette.green]];
}

function publishRow(one: Status['publishing'][number], palette: Palette): Cell[] {
  const { network, host, lease, loss, guests, addresses, refused } = one;
  const left: string | [string, Paint] = loss === undefined ? duration(lease) : [loss, palette.red];
  const some = counts(refused);
  return [
    ...[network, host, left, count(guests), count(addresses)],
    some === '-' ? some : [some, palette.yellow],
  ];
}

function percentiles({ bounds, counts: observed }: Distribution): string {
  const at = (quota: number): string => latencyOf(quantile(quota, bounds, observed), bounds);
  return `p50 ${at(0.5)}, p90 ${at(0.9)}, p99 ${at(0.99)}`;
}

const happened = (of: Record<string, number>): boolean => Object.values(of).some((number) => number > 0);

/** Only what happened. */
const counts = (of: Record<string, number>): string => {
  const some = Object.entries(of).filter(([, number]) => number > 0);
  return some.length === 0
    ? '-'
    : some.map(([name, number]) => `${name.replaceAll('_', ' ')} ${count(number)}`).join(', ');
};

/**
 * MACs that are on another host by their records, and on a local port by the bridge's FDB. The bridge learned them from
 * frames around a migration (QEMU's RARP before its end, a late frame after it). Frames of guests to such a MAC would go to
 * the dead port until the row expires after 300 s.
 *
 * Such rows are removed as soon as the bridge learns them, and in every audit. A row that the bridge learns repeatedly
 * belongs to a machine that sends there: it is reported as a conflict, and stays until the port is silent.
 */
import type { PipelineDeps } from '../resolver/pipeline.ts';
import type { ServedDevice } from '../model/device.ts';
import { HEARD_JUST_NOW, bridgeRows, forgetOnBridge } from '../entries/bridge-rows.ts';
import { isConfigured } from '../entries/ownership.ts';
import type { FdbEntry, Mac } from '../base/vocabulary.ts';
import type { ChangedRows } from './table-monitor.ts';

/** Removals of one MAC in `WHILE` milliseconds; QEMU announces a machine five times within half a second. */
const MOST_REMOVALS = 8;
const WHILE = 10_000;

interface Removals {
  since: number;
  count: number;
}

export class Leaks {
  readonly #deps: PipelineDeps;
  /** Recent removals and conflicts, by MAC; at most one per held FDB entry. */
  readonly #removals = new WeakMap<ServedDevice, Map<Mac, Removals>>();

  constructor(deps: PipelineDeps) {
    this.#deps = deps;
  }

  /** Rows that bridges have just learned. */
  onChange({ changes, behindBridge }: ChangedRows): void {
    const leaked = new Map<ServedDevice, Mac[]>();
    for (const { removed, row } of changes) {
      if (removed || !('master' in row) || row.master === 0) continue;
      const device = behindBridge(row.master);
      if (device?.tables.fdb.has(row.lladdr) !== true || row.ifindex === device.ifindex) continue;
      const macs = leaked.get(device);
      if (macs === undefined) leaked.set(device, [row.lladdr]);
      else macs.push(row.lladdr);
    }
    for (const [device, macs] of leaked) this.#forget(device, macs);
  }

  /** @throws KernelError when the bridge cannot be read */
  async audit(device: ServedDevice): Promise<void> {
    if (device.bridge === 0 || device.tables.fdb.size === 0) return;
    const isHere = ({ ifindex, lladdr }: FdbEntry): boolean =>
      ifindex !== device.ifindex && device.tables.fdb.has(lladdr);
    const rows = await device.namespace.kernel.bridgeFdb(device.bridge, isHere);
    const talking = new Set<Mac>();
    const silent: FdbEntry[] = [];
    for (const row of rows) {
      if (isConfigured(row) || row.updatedAgo >= HEARD_JUST_NOW) silent.push(row);
      else {
        talking.add(row.lladdr);
        this.#dispute(device, row);
      }
    }
    const removals = this.#of(device);
    for (const mac of removals.keys()) if (!talking.has(mac)) removals.delete(mac);
    forgetOnBridge(device, silent, this.#deps.report);
  }

  /** Reads the bridge's rows first, because they may have changed since they were reported. */
  #forget(device: ServedDevice, macs: readonly Mac[]): void {
    const removals = this.#of(device);
    const now = this.#deps.now();
    const going: FdbEntry[] = [];
    for (const row of bridgeRows(
      device,
      macs.filter((mac) => (removals.get(mac)?.count ?? 0) <= MOST_REMOVALS),
    )) {
      if (row === undefined || row.ifindex === device.ifindex) continue;
      const before = removals.get(row.lladdr);
      const lately = before !== undefined && now - before.since < WHILE ? before : { since: now, count: 0 };
      lately.count++;
      removals.set(row.lladdr, lately);
      if (lately.count <= MOST_REMOVALS) going.push(row);
      else this.#dispute(device, row);
    }
    forgetOnBridge(device, going, this.#deps.report);
  }

  #dispute(device: ServedDevice, { lladdr, ifindex }: FdbEntry): void {
    const vtep = device.tables.fdb.get(lladdr)?.vtep ?? 'another host';
    const port = device.namespace.portName(ifindex);
    this.#deps.report.conflict(
      device,
      'bridge_knows_mac',
      `${lladdr} sends on ${port}, but is behind ${vtep} by the directory`,
    );
  }

  #of(device: ServedDevice): Map<Mac, Removals> {
    let removals = this.#removals.get(device);
    if (removals === undefined) this.#removals.set(device, (removals = new Map<Mac, Removals>()));
    return removals;
  }
}

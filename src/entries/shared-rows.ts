/**
 * FDB rows that missd and another control plane both want. The kernel keeps one row per MAC. zebra replaces missd's row by
 * an equal one and deletes it when its peer goes, and every packet is lost until missd has written the row again.
 *
 * A delete that names a VTEP finds only a remote with the same IP, port, VNI and interface, and else deletes nothing and
 * succeeds (drivers/net/vxlan, vxlan_fdb_find_rdst in __vxlan_fdb_delete). On a device with a second owner missd's rows
 * therefore have port 0: frames go to the port of the device all the same, dumps show no port either way, and a delete
 * without NDA_PORT does not find the remote. NDA_IFINDEX would do it too, but pins the frames to an interface, whatever the
 * routes say: a row without it follows the routes, also on a device with a link.
 */
import { chunks } from '../base/chunks.ts';
import type { FdbEntry } from '../base/vocabulary.ts';
import type { EntryWrite, Namespace } from '../kernel/kernel.ts';
import type { ServedDevice } from '../model/device.ts';

/** Whether the device has, or had, a second owner. */
export function isShared(device: ServedDevice): boolean {
  const { foreign, foreignMacs, defaultRemote } = device;
  device.shared ||= foreign.size + foreignMacs.size > 0 || defaultRemote !== undefined;
  return device.shared;
}

/**
 * Gives rows that stay for another owner the port of the device again, so that the owner's delete finds them. The removal
 * names port 0 and the creation is exclusive: a row that the other owner has written or changed meanwhile is left alone.
 */
export function handOver(kernel: Namespace, rows: readonly FdbEntry[]): void {
  for (const chunk of chunks(rows))
    kernel.write(
      chunk.flatMap(({ ifindex, lladdr, vtep, via, state, flags }): EntryWrite[] => {
        if (vtep === undefined) return [];
        const row = { table: 'fdb' as const, ifindex, lladdr, vtep, via, state, flags };
        return [
          { ...row, op: 'delete', portless: true },
          { ...row, op: 'create' },
        ];
      }),
    );
}

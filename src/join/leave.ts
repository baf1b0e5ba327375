/** Takes away what missd made for a network, and nothing else. */
import { existsSync } from 'node:fs';
import { bridgeName, deviceName } from '../directory/network.ts';
import { ipBatch } from '../inspect/ip-batch.ts';
import { dadTable } from '../kernel/nft/dad-rules.ts';
import { aliasOf } from './joined.ts';
import { endMasquerade, isMasqueraded } from './masquerade.ts';
import { removeOverlay } from './overlay.ts';
import { readScene } from './scene.ts';

export interface Left {
  /** In words: `vx-blue`, `namespace blue`. */
  removed: string[];
  /** Interfaces of these names that missd did not make. */
  foreign: string[];
}

/**
 * @param paths of the namespaces of the underlay and of the networks; null for the daemon's own
 * @param overlay path of a namespace that missd may have made; null for none
 * @throws Error where the kernel refuses
 */
export async function leave(
  name: string,
  paths: ReadonlySet<string | null>,
  overlay: string | null,
): Promise<Left> {
  const left: Left = { removed: [], foreign: [] };
  for (const path of paths) {
    if (path !== null && !existsSync(path)) continue;
    const scene = await readScene(path);
    for (const one of [deviceName({ name }), bridgeName({ name })]) {
      const link = scene.get(one);
      if (link === undefined) continue;
      if (link.alias === aliasOf(name)) {
        await ipBatch(path, [['link', 'delete', one]]);
        left.removed.push(one);
      } else left.foreign.push(one);
    }
    if (await hasRules(path, name)) {
      await endMasquerade(path, { name });
      left.removed.push('rules that masquerade');
    }
    // The table is for all devices of the namespace.
    const others = [...scene.keys()].some((one) => one.startsWith('vx-') && one !== deviceName({ name }));
    if (!others && (await endDadSilence(path))) left.removed.push('rules for duplicate address detection');
  }
  if (overlay !== null && (await removeOverlay(overlay))) left.removed.push(`namespace ${overlay}`);
  return left;
}

/** Without nftables there are none. @returns whether there were any */
async function endDadSilence(path: string | null): Promise<boolean> {
  const table = dadTable(path);
  const there = await table.isThere().catch(() => false);
  if (there) await table.replace(undefined);
  return there;
}

/** Without nftables there are none. */
const hasRules = (path: string | null, name: string): Promise<boolean> =>
  isMasqueraded(path, { name }).catch(() => false);

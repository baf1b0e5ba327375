/** What the options say of where and how networks are joined. */
import { existsSync, statSync } from 'node:fs';
import { UsageError } from '../base/errors.ts';
import type { JoinOptions, TablesOptions } from '../config/options.ts';
import { OWN } from '../links/host.ts';
import type { Site } from './establish.ts';

type SiteOptions = JoinOptions & Pick<TablesOptions, 'netns'> & { local: readonly string[]; wait?: boolean };

/** Keys by which the host knows the namespaces of underlay and networks. */
const keysOf = ({ netns, overlayNetns }: SiteOptions): { underlay: string; networks: string } => {
  const underlay = netns[0] ?? OWN;
  return { underlay, networks: overlayNetns ?? underlay };
};

/** The daemon's own is not entered, because that would need CAP_SYS_ADMIN. */
const pathOf = (key: string): string | null => (key === OWN ? null : key);

export function siteOf(options: SiteOptions): { site: Site; namespace: string } {
  const { underlay, networks } = keysOf(options);
  const { local, hostId, masquerade = false, subnetFile } = options;
  const site = {
    underlay: pathOf(underlay),
    networks: pathOf(networks),
    local,
    hostId,
    masquerade,
    subnetFile,
  };
  return { site, namespace: networks };
}

/** @param path of a namespace, null for the daemon's own. @throws Error where there is none */
export const inodeOf = (path: string | null): number => statSync(path ?? OWN).ino;

/**
 * What can be judged before the daemon starts.
 * @throws UsageError in one line for options that contradict each other, and for a host without an underlay address
 */
export async function judgeJoin(options: SiteOptions): Promise<void> {
  const { join, netns, overlayNetns, subnetFile, masquerade, wait } = options;
  if (join.length === 0) {
    const lone = [
      ...(overlayNetns === undefined ? [] : ['--overlay-netns']),
      ...(subnetFile === undefined ? [] : ['--subnet-file']),
      ...(masquerade === true ? ['--masquerade'] : []),
    ];
    if (lone[0] !== undefined) throw new UsageError(`${lone[0]} needs --join`);
    return;
  }
  if (netns.length > 1) throw new UsageError('--join takes one --netns at most: that of the underlay');
  if (subnetFile !== undefined && new Set(join).size > 1)
    throw new UsageError('--subnet-file takes one --join, whose prefix it has');
  const path = pathOf(keysOf(options).underlay);
  // A namespace that is not there yet is waited for, and with --wait an address, too: a host may boot.
  if (wait === true || (path !== null && !existsSync(path))) return;
  const { findUnderlay } = await import('./underlay-address.ts');
  await findUnderlay(path, options.local);
}

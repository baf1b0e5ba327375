/** Which address of this host its VXLAN packets leave from, and so what records name the host by. */
import { isLinkLocal } from '../base/address.ts';
import { UsageError } from '../base/errors.ts';
import { addressGroups, covers, familyOf, parseCidr } from '../base/prefix.ts';
import type { Ip } from '../base/vocabulary.ts';
import {
  type Scene,
  type SceneAddress,
  type SceneLink,
  type SceneRoute,
  readRoutes,
  readScene,
} from './scene.ts';

export interface Underlay {
  address: Ip;
  /** Name and MTU of the interface that has it. */
  device: string;
  mtu: number;
}

/** The interface that has an address. */
export function underlayOf(scene: Scene, address: Ip): Underlay | undefined {
  for (const { name, mtu, addresses } of scene.values())
    if (addresses.some(({ ip }) => ip === address)) return { address, device: name, mtu };
  return undefined;
}

/**
 * The first of `--local` that is assigned; else the source address of the default route; else the only global address.
 * @param routes default routes of both families
 * @throws UsageError in one line where nothing of that decides
 */
export function chooseUnderlay(scene: Scene, routes: readonly SceneRoute[], local: readonly Ip[]): Underlay {
  for (const address of local) {
    const found = underlayOf(scene, address);
    if (found !== undefined) return found;
  }
  for (const family of [4, 6] as const) {
    const found = routes
      .filter((route) => !route.dead && route.family === family)
      .sort((one, other) => one.metric - other.metric)
      .flatMap((route) => sourceOf(scene, route) ?? []);
    if (found[0] !== undefined) return found[0];
  }
  for (const family of [4, 6] as const) {
    const all = [...scene.values()]
      .filter((link) => !isOurs(link))
      .flatMap((link) => global(link, family).map((one) => ({ link, ip: one.ip })));
    const [only] = all;
    if (only !== undefined && all.length === 1)
      return { address: only.ip, device: only.link.name, mtu: only.link.mtu };
    if (all.length > 1)
      throw new UsageError(
        `no underlay address: there is no default route, and ${all
          .slice(0, 3)
          .map(({ ip, link }) => `${ip} (${link.name})`)
          .join(', ')}${all.length > 3 ? ', …' : ''} could be meant; name one by --local`,
      );
  }
  throw new UsageError(
    'no underlay address: there is no default route, and no interface but loopback has a global address; name one by --local',
  );
}

/** @param path of the underlay's namespace, null for the daemon's own. @throws UsageError as `chooseUnderlay`. @throws Error where iproute2 cannot say */
export async function findUnderlay(
  path: string | null,
  local: readonly Ip[],
): Promise<{ scene: Scene; underlay: Underlay }> {
  const [scene, ...routes] = await Promise.all([
    readScene(path),
    readRoutes(path, 4, ['default']),
    readRoutes(path, 6, ['default']),
  ]);
  return { scene, underlay: chooseUnderlay(scene, routes.flat(), local) };
}

/** An address on what missd itself made, such as the bridge of a routed network, is no underlay. */
const isOurs = ({ alias }: SceneLink): boolean => alias?.startsWith('missd:') === true;

const familyIn = (ip: Ip, family: 4 | 6): boolean => ip.includes(':') === (family === 6);

const global = ({ loopback, addresses }: SceneLink, family: 4 | 6): SceneAddress[] =>
  loopback
    ? []
    : addresses.filter(
        ({ ip, scope, passing }) =>
          familyIn(ip, family) && scope === 'global' && !passing && !isLinkLocal(ip),
      );

/** As the kernel chooses it (net/ipv4/devinet.c, inet_select_addr): in the gateway's subnet, else the interface's first. */
function sourceOf(scene: Scene, { family, source, dev = '', gateway }: SceneRoute): Underlay | undefined {
  const named = source === undefined ? undefined : underlayOf(scene, source);
  if (named !== undefined) return named;
  const link = scene.get(dev);
  if (link === undefined || isOurs(link)) return undefined;
  const all = global(link, family);
  const chosen = all.find((one) => gateway !== undefined && isNear(one, gateway)) ?? all[0];
  return chosen === undefined ? undefined : { address: chosen.ip, device: link.name, mtu: link.mtu };
}

function isNear({ ip, length }: SceneAddress, gateway: Ip): boolean {
  const groups = addressGroups(gateway);
  const subnet = parseCidr(`${ip}/${length}`);
  if (groups === undefined || subnet === undefined) return false;
  const family = familyOf(groups);
  return subnet.family === family && covers(subnet, { family, groups, length: groups.length * 16 });
}

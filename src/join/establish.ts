/** One look at a network on this host: what is missing or wrong is put right. */
import { covers, parseCidr, parsePrefixOrAddress } from '../base/prefix.ts';
import type { Ip } from '../base/vocabulary.ts';
import type { Network } from '../directory/network.ts';
import { ipBatch } from '../inspect/ip-batch.ts';
import { type Difference, differences } from './differences.ts';
import { ensureForwarding } from './forwarding.ts';
import type { JoinedNetwork } from './joined.ts';
import { isMasqueraded, masquerade } from './masquerade.ts';
import { ensureOverlay } from './overlay.ts';
import { type Scene, type SceneLink, readRoutes, readScene } from './scene.ts';
import { type Underlay, findUnderlay, underlayOf } from './underlay-address.ts';
import { type Wanted, wantedFor } from './wanted.ts';
import { writeSubnetFile } from './subnet-file.ts';

/** Where and how the networks of a host are made. */
export interface Site {
  /** Paths of the namespaces of the underlay and of the networks; null for the daemon's own. */
  underlay: string | null;
  networks: string | null;
  local: readonly Ip[];
  hostId: string | undefined;
  masquerade: boolean;
  subnetFile: string | undefined;
}

/** What is known of a network from the look before. */
export interface Standing {
  underlay?: Underlay;
  wanted?: Wanted;
  masqueraded?: boolean;
}

export interface Established {
  joined: Omit<JoinedNetwork, 'namespace'>;
  /** What was put right, in words. */
  repairs: string[];
  standing: Standing;
}

/** Ports that a deleted bridge had, by name, with their ifindexes. */
export type LostPorts = ReadonlyMap<string, number>;

/**
 * @param prefixOf acquires this host's prefix of a routed network
 * @throws Foreign where something of somebody else's is in the way
 * @throws UsageError where no underlay address can be told
 * @throws Error where the kernel refuses
 */
export async function establish(
  network: Network,
  site: Site,
  before: Standing,
  lost: LostPorts,
  prefixOf: (vtep: Ip) => Promise<string>,
): Promise<Established> {
  const { scene: underneath, underlay } = await lookForUnderlay(site, before.underlay);
  const apart = site.networks !== site.underlay;
  const repairs: string[] = [];
  if (apart) repairs.push(...(await ensureOverlay(site.networks)));
  const hostId = site.hostId ?? underlay.address;
  const prefix = network.mode === 'routed' ? await prefixOf(underlay.address) : undefined;
  const wanted = wantedFor(network, {
    ...{ local: underlay.address, underlayMtu: underlay.mtu, hostId },
    ...(prefix === undefined ? {} : { prefix }),
  });
  // Acquiring takes a while, in which the interfaces may have changed.
  const scene = apart
    ? await readScene(site.networks)
    : prefix === undefined
      ? underneath
      : await readScene(site.underlay);
  const found = {
    scene,
    ...(apart && site.networks !== null ? { underneath: { scene: underneath, target: site.networks } } : {}),
    ...(await routesThrough(wanted, scene, site.networks)),
    former: formerAddresses(network, before, wanted, scene),
  };
  const all = [...differences(wanted, found), ...lostPorts(lost, scene, wanted)];
  for (const one of all) {
    await putRight(one, site);
    repairs.push(one.what);
  }
  repairs.push(...(await settings(network, site, wanted, before)));
  const { mtu } = wanted.device;
  if (site.subnetFile !== undefined && prefix !== undefined)
    writeSubnetFile(site.subnetFile, {
      ...{ network: network.subnet, prefix, mtu, masquerade: site.masquerade },
    });
  const standing = scene.get(wanted.device.name);
  return {
    joined: {
      ...{ network, device: wanted.device.name, bridge: wanted.bridge.name, vtep: underlay.address, mtu },
      // An adopted device has a MAC of its own.
      mac:
        standing?.alias === wanted.device.alias || standing?.mac === undefined
          ? (wanted.device.mac ?? '')
          : standing.mac,
      ...(prefix === undefined ? {} : { prefix }),
    },
    repairs,
    standing: { underlay, wanted, masqueraded: site.masquerade },
  };
}

/** An address that is still here stays the underlay's, whatever the default route is now. */
async function lookForUnderlay(
  { underlay: path, local }: Site,
  before: Underlay | undefined,
): Promise<{ scene: Scene; underlay: Underlay }> {
  if (before !== undefined) {
    const scene = await readScene(path);
    const underlay = underlayOf(scene, before.address);
    if (underlay !== undefined) return { scene, underlay };
  }
  return findUnderlay(path, local);
}

async function routesThrough(
  { device: { name, route } }: Wanted,
  scene: Scene,
  path: string | null,
): Promise<{ routes?: Awaited<ReturnType<typeof readRoutes>> }> {
  if (route === undefined || !scene.has(name)) return {};
  return { routes: await readRoutes(path, route.includes(':') ? 6 : 4, ['dev', name]) };
}

/** Addresses that an earlier gateway or prefix left on what is ours. */
function formerAddresses(
  network: Network,
  { wanted: before }: Standing,
  wanted: Wanted,
  scene: Scene,
): Set<string> {
  const former = new Set([...(before?.bridge.addresses ?? []), ...(before?.device.addresses ?? [])]);
  if (network.mode === 'routed')
    for (const { name, alias } of [wanted.bridge, wanted.device]) {
      const link = scene.get(name);
      if (link?.alias === alias) for (const one of within(link, network.subnet)) former.add(one);
    }
  return former;
}

function within({ addresses }: SceneLink, subnet: string): string[] {
  const whole = parseCidr(subnet);
  return addresses.flatMap(({ ip, length, scope }) => {
    const address = parsePrefixOrAddress(ip);
    const inside = whole !== undefined && address !== undefined && covers(whole, address);
    return inside && scope === 'global' ? [`${ip}/${length}`] : [];
  });
}

async function putRight({ steps }: Difference, { underlay, networks }: Site): Promise<void> {
  for (const { underneath, mayFail, commands } of steps) {
    const done = ipBatch(underneath === true ? underlay : networks, commands);
    await (mayFail === true ? done.catch(() => undefined) : done);
  }
}

/** Guests behind them would have no network until somebody plugged them in again. */
function lostPorts(lost: LostPorts, scene: Scene, { bridge, device }: Wanted): Difference[] {
  return [...lost].flatMap(([name, ifindex]) => {
    const link = scene.get(name);
    if (name === device.name || link?.ifindex !== ifindex || link.master !== undefined) return [];
    const commands = [['link', 'set', name, 'master', bridge.name]];
    return [{ what: `${name} lost its bridge`, steps: [{ commands }] }];
  });
}

/** What is no interface: forwarding and masquerading. @returns what was set */
async function settings(network: Network, site: Site, wanted: Wanted, before: Standing): Promise<string[]> {
  const done: string[] = [];
  const names = [wanted.bridge, wanted.device].filter(({ forwards }) => forwards).map(({ name }) => name);
  const family = network.subnet.includes(':') ? 6 : 4;
  const set = await ensureForwarding(site.networks, { names, family, whole: site.masquerade });
  done.push(...set.map((one) => `${one} was 0`));
  if (!site.masquerade) return done;
  if (before.masqueraded === true && (await isMasqueraded(site.networks, network))) return done;
  await masquerade(site.networks, network);
  if (before.masqueraded === true) done.push('there were no rules that masquerade');
  return done;
}

/** Gathers the facts about one address, in an order in which no probe changes a fact that is read later. */
import type { DirectoryOptions } from '../directory/options.ts';
import type { VxlanLink } from '../model/vxlan-link.ts';
import type { ListenOptions } from '../config/options.ts';
import { vtepAllowance } from '../directory/vtep-allow.ts';
import { RuntimeFailure, reasonOf } from '../base/errors.ts';
import { vtepRules } from '../links/vtep-rules.ts';
import type { Ip, Mac, Vni } from '../base/vocabulary.ts';
import { askDaemon } from './ask-daemon.ts';
import type { DaemonFacts, Expected, Facts, GuestFacts } from './facts.ts';
import { type Opened, readDevice, readForwarding, readNeighbour } from './read-device.ts';
import { type Asked, readAgain, readDirectory } from './read-directory.ts';
import { readGuest, readUnderlay, routeTo } from './read-path.ts';

export interface GatherOptions extends DirectoryOptions, ListenOptions {
  directory?: string;
  /** No option names a directory. */
  byDefault: boolean;
  vtepAllow: readonly string[];
  local: readonly string[];
  /** Options that name the directory, and `--listen`, for the commands that are suggested. */
  given: { directory: readonly string[]; listen: readonly string[] };
  /** Path of the guest namespace to ping from. */
  from?: string;
}

export async function gather(
  opened: Opened,
  link: VxlanLink,
  vni: Vni,
  asked: Asked,
  options: GatherOptions,
): Promise<Facts> {
  const { ip } = asked;
  const address = ip ?? asked.mac ?? '';
  const context = {
    ...(await vtepRules(opened.kernel, link)),
    vtepAllow: vtepAllowance(options.vtepAllow),
  };
  const { directory, expected: recorded } = await readDirectory(
    options,
    options.byDefault,
    vni,
    asked,
    context,
  );
  // The guest's ping comes before the kernel tables are read, so that the tables show what the ping caused.
  const target = ip ?? directory.users[0]?.ip;
  const guest =
    options.from === undefined || target === undefined ? undefined : await fromGuest(options.from, target);
  const daemon = await askDaemon(options.listen, vni, address);
  const expected = recorded ?? (directory.down === undefined ? undefined : heldBy(daemon, link));
  const { device, underlay: outer } = await readDevice(opened, link, address, options.local);
  const route = ip === undefined || device.bridge !== undefined ? undefined : await routeTo(opened.path, ip);
  const via = typeof route === 'object' && route.device === link.name ? route.gateway : undefined;
  const neighbour = ip === undefined ? undefined : await readNeighbour(opened, link, via ?? ip);
  const mac: Mac | undefined = neighbour?.row.lladdr ?? expected?.mac ?? asked.mac;
  const forwarding = mac === undefined ? {} : readForwarding(opened, link, device.bridge, mac);
  const vtep: Ip | undefined = forwarding.fdb?.vtep ?? expected?.vtep;
  const outside = vtep === undefined || device.ownVteps.includes(vtep);
  const underlay = outside ? undefined : await readUnderlay(outer.path, vtep, link, outer.home);
  if (ip !== undefined && directory.down === undefined) {
    const before = directory.records.find(({ kind }) => kind === 'ip')?.value;
    const now = await readAgain(options, vni, ip).catch(() => before);
    if (before !== undefined && now !== undefined && now !== before) directory.changed = now;
  }
  return {
    vni,
    address,
    ...(ip !== undefined && { ip }),
    device,
    directory: { ...directory, given: options.given.directory },
    daemon: { ...daemon, given: options.given.listen },
    ...(expected !== undefined && { expected }),
    ...(route !== undefined && { route }),
    ...(neighbour !== undefined && { neighbour }),
    ...(mac !== undefined && { mac }),
    ...forwarding,
    ...(underlay !== undefined && { underlay }),
    ...(guest !== undefined && { guest }),
  };
}

/** The daemon's FDB entry stands in for the records if only the daemon can read the directory. */
function heldBy({ account }: DaemonFacts, { name, ifindex }: VxlanLink): Expected | undefined {
  const held = account?.devices.find((one) => one.name === name && one.ifindex === ifindex);
  if (held?.fdb === undefined) return undefined;
  const { mac, vtep, router, source } = held.fdb;
  const kind = source.kind === 'adopted' ? 'ip' : source.kind;
  return { mac, vtep, router, source: { kind, key: `${kind}:${source.name}`, value: `${mac} ${vtep}` } };
}

async function fromGuest(path: string, ip: Ip): Promise<GuestFacts> {
  try {
    return await readGuest(path, ip);
  } catch (error) {
    throw new RuntimeFailure(`--from ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

/** The VXLAN devices and their flags. */
import { recreated } from '../inspect/recreate.ts';
import { type CommandLine, device as deviceWord, setSysctl, sh, typed } from '../screen/shell.ts';
import { isVxlan, refusal } from '../links/servable.ts';
import type { FdbEntry, Ip, Link } from '../base/vocabulary.ts';
import { type Finding, of } from './finding.ts';
import type { Subject } from './scene.ts';

const say = of('devices');

export interface DeviceFacts {
  subject: Subject;
  /** The all-zeros FDB entry, which receives frames to unknown MACs. */
  everyMac: FdbEntry | undefined;
  /** `app_solicit` by family; `probes` is undefined if the host does not have the family. */
  appSolicit: { family: 4 | 6; probes: number | undefined }[];
  /** Whether the daemon at `--listen` serves the device. */
  served: boolean;
}

const ALL_MACS = '00:00:00:00:00:00';

/** Reads the settings that RTM_GETLINK does not contain. */
export function deviceFacts(subject: Subject, served: boolean): DeviceFacts {
  const { kernel } = subject.place;
  const { ifindex } = subject.link;
  const [everyMac] = kernel.getFdb([{ ifindex, lladdr: ALL_MACS }]);
  const appSolicit = ([4, 6] as const).map((family) => ({
    family,
    probes: kernel.getAppSolicit(ifindex, family),
  }));
  return { subject, everyMac, appSolicit, served };
}

export function judgeDevice({ subject, everyMac, appSolicit, served }: DeviceFacts): Finding[] {
  const { link, name, place, strategy, bridge } = subject;
  const { vxlan } = link;
  const anew = (): CommandLine[] => recreated(link, place.path, place.links);
  const command = (line: CommandLine): CommandLine => typed(place.path, line);
  const unserved = refusal(link, place.links, () => strategy);
  if (unserved !== undefined)
    return [say.broken('servable', `${name} is not served: ${unserved}`, ...reasonAndWay(subject, unserved))];
  const findings: Finding[] = [];
  if (!link.up)
    findings.push(
      say.broken(
        'down',
        `${name} is down`,
        'A device that is down forwards nothing, and setting it down emptied its tables.',
        command(sh`ip link set ${deviceWord(link.name)} up`),
      ),
    );
  const byMiss = strategy === 'miss';
  if (byMiss && !vxlan.l3miss)
    findings.push(
      say.broken(
        'l3miss',
        `${name} has no l3miss`,
        `Unknown addresses raise no miss, so missd cannot resolve them. The kernel takes the flag only when a device is made${bridge === undefined ? '; its addresses and routes have to be added again' : ''}.`,
        ...anew(),
      ),
    );
  if (byMiss && !vxlan.l2miss)
    findings.push(
      say.warning(
        'l2miss',
        `${name} has no l2miss`,
        'Unknown MACs raise no miss: frames of guests that still know the MAC are lost after its entry is removed.',
        ...anew(),
      ),
    );
  if (bridge !== undefined && !vxlan.proxy)
    findings.push(
      say.broken(
        'proxy',
        `${name} is in bridge ${bridge.name} without proxy`,
        'The kernel does not answer guests from its neighbour entries, and raises no L3 miss.',
        ...anew(),
      ),
    );
  if (everyMac !== undefined && byMiss) findings.push(judgeDefault(everyMac.vtep ?? vxlan.group));
  if (vxlan.learning)
    findings.push(
      say.warning(
        'learning',
        `${name} learns from traffic`,
        "Any guest can redirect another's traffic to its own host with one frame of a forged source MAC.",
        command(sh`ip link set ${deviceWord(link.name)} type vxlan nolearning`),
      ),
    );
  if (bridge === undefined && vxlan.l3miss && link.up) findings.push(...judgeSolicit());
  if (findings.length === 0) findings.push(say.ok('flags', `${name}, VNI ${vxlan.vni}`));
  return findings;

  /** A multicast group may carry broadcasts on purpose, so it is a warning only. */
  function judgeDefault(remote: Ip | undefined): Finding {
    const group = remote === undefined || /^(22[4-9]|23\d)\.|^ff/.test(remote);
    return say[group ? 'warning' : 'broken'](
      'default-remote',
      `${name} has a default remote, ${remote ?? 'a group'}`,
      `Frames for unknown MACs go there and raise no L2 miss.${group ? ' So do broadcasts, unless missd run --broadcast replicates them.' : ''}`,
      command(sh`bridge fdb del ${ALL_MACS} dev ${link.name} self`),
    );
  }

  function judgeSolicit(): Finding[] {
    return appSolicit.flatMap(({ family, probes }) => {
      if (probes !== 0) return [];
      const what = `${name} has app_solicit 0 for IPv${family}`;
      const why =
        'The kernel asks on the network for addresses that the host routes through the device, and raises no miss.';
      const parts = ['net', `ipv${family}`, 'neigh', link.name, 'app_solicit'];
      return served
        ? [
            say.broken(
              'app_solicit',
              `${what}, although missd serves it`,
              why,
              setSysctl(place.path, parts, 3),
            ),
          ]
        : [say.note('app_solicit', `${what}; missd run sets it to 3`, why)];
    });
  }
}

function reasonAndWay({ link, place, bridge }: Subject, unserved: string): [string, ...CommandLine[]] {
  const command = (line: CommandLine): CommandLine => typed(place.path, line);
  if (link.vxlan.external)
    return [
      'Each VNI needs a device of its own; this one takes its VNI from each packet.',
      command(sh`ip link add vxlan100 type vxlan id 100 dstport 4789 nolearning proxy l2miss l3miss`),
    ];
  if (bridge?.bridge?.vlanFiltering === true)
    return [
      'The same address may be a different guest in each VLAN, and a miss does not name the VLAN. Give each VLAN a bridge of its own.',
      command(sh`ip link set ${deviceWord(bridge.name)} type bridge vlan_filtering 0`),
    ];
  if (bridge !== undefined && unserved.includes('another VXLAN device'))
    return [
      "A guest's question reaches both devices, so its VNI is ambiguous, and frames may loop between the two.",
      command(sh`ip link set ${deviceWord(link.name)} nomaster`),
    ];
  return ['missd run leaves it alone.'];
}

/** Devices that raise no misses, and devices and namespaces that do not exist. */
export function judgeAbsence(
  subjects: readonly Subject[],
  missing: readonly { name: string; reason: string; denied: boolean }[],
  places: readonly { name: string; path: string | null; links: ReadonlyMap<number, Link> }[],
  wanted: readonly string[],
): Finding[] {
  const findings: Finding[] = missing.map(({ name, reason, denied }) =>
    denied
      ? say.warning(
          'namespace',
          `namespace ${name} could not be entered: ${reason}`,
          'Nothing in it could be examined.',
          sh`sudo missd doctor`,
        )
      : say.broken(
          'namespace',
          `namespace ${name} cannot be opened: ${reason}`,
          'missd run waits for it.',
          sh`ip netns list`,
        ),
  );
  for (const device of wanted)
    if (!subjects.some(({ link }) => link.name === device)) findings.push(absent(device));
  for (const { name, path, links } of places) {
    const silent = [...links.values()].filter(
      (link) => isVxlan(link) && !subjects.some((one) => one.link === link),
    );
    if (wanted.length > 0) continue;
    for (const link of silent)
      if (isVxlan(link))
        findings.push(
          say.note(
            'silent',
            `${link.name} (VNI ${link.vxlan.vni}) in ${name} has neither l2miss nor l3miss`,
            'It raises no misses, so missd leaves it alone.',
            ...recreated(link, path, links),
          ),
        );
  }
  if (subjects.length === 0 && wanted.length === 0 && places.length > 0)
    findings.push(
      say.note(
        'none',
        `no VXLAN device with l2miss or l3miss in ${places.map(({ name }) => name).join(', ')}`,
        'missd run waits for one.',
        sh`ip link add vxlan100 type vxlan id 100 dstport 4789 nolearning proxy l2miss l3miss`,
      ),
    );
  return findings;

  function absent(device: string): Finding {
    const other = places.flatMap(({ links }) => [...links.values()].filter((link) => link.name === device));
    return say.broken(
      'named',
      other.length === 0
        ? `no device ${device} in ${places.map(({ name }) => name).join(', ')}`
        : `${device} is not a VXLAN device`,
      'It was named with --device.',
      sh`ip -d link show type vxlan`,
    );
  }
}

/** Devices of one VNI share its records, so one bridge's guests answer for the other's. */
export function judgeTwins(subjects: readonly Subject[]): Finding[] {
  const findings: Finding[] = [];
  const first = new Map<number, Subject>();
  for (const one of subjects) {
    const { vni } = one.link.vxlan;
    const before = first.get(vni);
    if (before === undefined) first.set(vni, one);
    else
      findings.push(
        say.warning(
          'twins',
          `${one.name} and ${before.name} both have VNI ${vni}`,
          'Both follow the same records, so an address can be in one of them only.',
          typed(one.place.path, sh`ip -d link show ${deviceWord(one.link.name)}`),
        ),
      );
  }
  return findings;
}

/**
 * What is missing or wrong between the interfaces that a network needs and those that there are, each with the `ip`
 * commands that put it right. What somebody else made is never changed.
 */
import type { Words } from '../inspect/ip-batch.ts';
import type { Scene, SceneLink, SceneRoute } from './scene.ts';
import type { Wanted, WantedDevice, WantedLink } from './wanted.ts';

export interface Difference {
  /** In words: `vx-blue is down`. */
  what: string;
  steps: Step[];
}

export interface Step {
  /** In the namespace of the underlay, where that is another than the network's. */
  underneath?: boolean;
  /** What the kernel refuses does not matter. */
  mayFail?: boolean;
  commands: Words[];
}

/** Something of somebody else's stands where the network needs its own. */
export class Foreign extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'Foreign';
  }
}

export interface Found {
  scene: Scene;
  /** The underlay's namespace and the path of the network's own, where they differ. */
  underneath?: { scene: Scene; target: string };
  /** Routes through the device, where one is wanted. */
  routes?: readonly SceneRoute[];
  /** Addresses that earlier values of the network had here. */
  former?: ReadonlySet<string>;
}

/** In the order in which they are to be put right. @throws Foreign */
export function differences({ bridge, device }: Wanted, found: Found): Difference[] {
  const standing = found.scene.get(device.name);
  const useless =
    standing !== undefined && standing.alias === device.alias ? unfit(standing, device) : undefined;
  return [
    ...ofBridge(bridge, found),
    ...(standing === undefined || useless !== undefined
      ? makeDevice(device, bridge, found, useless)
      : ofDevice(standing, device, bridge, found)),
  ];
}

function ofBridge(wanted: WantedLink, found: Found): Difference[] {
  const { name, alias, mtu, mac } = wanted;
  const standing = found.scene.get(name);
  if (standing === undefined) {
    const made: Words[] = [
      ['link', 'add', name, 'mtu', mtu, ...(mac === undefined ? [] : ['address', mac]), 'type', 'bridge'],
      ['link', 'set', name, 'alias', alias],
    ];
    const up: Words[] = [
      ['link', 'set', name, 'up'],
      ...wanted.addresses.map((one) => addAddress(one, name)),
    ];
    return [{ what: `there is no ${name}`, steps: [{ commands: made }, ...quiet(wanted), { commands: up }] }];
  }
  if (standing.kind !== 'bridge') throw new Foreign(`${name} is there and is no bridge`);
  if (standing.vlanFiltering)
    throw new Foreign(`${name} filters VLANs, so one address may belong to several guests`);
  return judged(standing, alias, ofLink(standing, wanted, found));
}

function makeDevice(
  wanted: WantedDevice,
  bridge: WantedLink,
  found: Found,
  useless: string | undefined,
): Difference[] {
  const { name, alias, mtu, mac, vni, local, port, proxy, route } = wanted;
  const twin = [...found.scene.values(), ...(found.underneath?.scene.values() ?? [])].find(
    ({ vxlan, name: other }) => other !== name && vxlan?.vni === vni && vxlan.port === port,
  );
  if (twin !== undefined)
    throw new Foreign(`${twin.name} has VNI ${vni} and UDP port ${port} already, and is not ${name}`);
  const made: Words[] = [
    [
      ...['link', 'add', name, 'mtu', mtu, ...(mac === undefined ? [] : ['address', mac])],
      ...['type', 'vxlan', 'id', vni, 'local', local, 'dstport', port, 'nolearning'],
      ...[...(proxy ? ['proxy'] : []), 'l2miss', 'l3miss'],
    ],
    ['link', 'set', name, 'alias', alias],
  ];
  const removed: Words[] = useless === undefined ? [] : [['link', 'delete', name]];
  const up: Words[] = [
    // Before it is up: a device that is up without a bridge is one that the host routes through.
    ...(proxy ? [['link', 'set', name, 'master', bridge.name]] : []),
    ['link', 'set', name, 'up'],
    ...wanted.addresses.map((one) => addAddress(one, name)),
    ...(route === undefined ? [] : [addRoute(route, name)]),
  ];
  const what = useless ?? `there is no ${name}`;
  const { underneath } = found;
  const inPlace: Step[] = [...quiet(wanted), { commands: up }];
  if (underneath === undefined) return [{ what, steps: [{ commands: [...removed, ...made] }, ...inPlace] }];
  const stuck = underneath.scene.get(name);
  if (stuck !== undefined && stuck.alias !== alias)
    throw new Foreign(`${name} is there in the underlay's namespace, and missd did not make it`);
  // One that was to be moved when its missd was killed.
  const again: Words[] = stuck === undefined ? [] : [['link', 'delete', name]];
  const moved: Words[] = [...again, ...made, ['link', 'set', name, 'netns', underneath.target]];
  const steps = [{ commands: removed }, { underneath: true, commands: moved }, ...inPlace];
  return [{ what, steps }];
}

const here = (what: string, ...commands: Words[]): Difference[] => [{ what, steps: [{ commands }] }];

/** Why a device can only be made again: what the kernel sets at creation alone (drivers/net/vxlan, vxlan_nl2conf). */
function unfit({ name, vxlan }: SceneLink, wanted: WantedDevice): string | undefined {
  if (vxlan === undefined) return `${name} is no VXLAN device`;
  const { vni, local = '', port, remote, proxy, l2miss, l3miss } = vxlan;
  if (vni !== wanted.vni) return `${name} has VNI ${vni ?? 'none'}, not ${wanted.vni}`;
  if (port !== wanted.port) return `${name} has UDP port ${port ?? 'none'}, not ${wanted.port}`;
  if (remote !== undefined) return `${name} has a default remote, ${remote}`;
  if (local.includes(':') !== wanted.local.includes(':'))
    return `${name} has local ${local}, not ${wanted.local}`;
  if (proxy !== wanted.proxy) return `${name} has ${proxy ? '' : 'no '}proxy`;
  if (!l2miss || !l3miss) return `${name} has no ${l3miss ? 'l2miss' : 'l3miss'}`;
  return undefined;
}

function ofDevice(standing: SceneLink, wanted: WantedDevice, bridge: WantedLink, found: Found): Difference[] {
  const { name, alias, local, route, proxy } = wanted;
  const wrong = unfit(standing, wanted);
  if (wrong !== undefined) throw new Foreign(`${wrong}, and missd did not make it`);
  const all: Difference[] = [];
  const note = (what: string, ...words: Words): void => void all.push(...here(`${name} ${what}`, words));
  const { vxlan, master } = standing;
  if (vxlan?.local !== local)
    note(
      `has local ${vxlan?.local ?? 'none'}, not ${local}`,
      ...['link', 'set', name, 'type', 'vxlan', 'local', local],
    );
  if (vxlan?.learning === true)
    note('learns from traffic', 'link', 'set', name, 'type', 'vxlan', 'nolearning');
  if (proxy && master !== bridge.name)
    note(`is in ${master ?? 'no bridge'}`, 'link', 'set', name, 'master', bridge.name);
  if (!proxy && master !== undefined) note(`is in ${master}`, 'link', 'set', name, 'nomaster');
  all.push(...ofLink(standing, wanted, found));
  const routed = found.routes?.some(({ dst, gateway }) => dst === route && gateway === undefined) === true;
  if (route !== undefined && !routed) note(`has no route to ${route}`, ...addRoute(route, name));
  return judged(standing, alias, all);
}

/** What bridge and device have in common. */
function ofLink(standing: SceneLink, wanted: WantedLink, { former = new Set() }: Found): Difference[] {
  const { name, mtu, mac, addresses } = wanted;
  const all: Difference[] = [];
  const note = (what: string, ...words: Words): void => void all.push(...here(`${name} ${what}`, words));
  if (standing.mtu !== mtu) note(`has MTU ${standing.mtu}, not ${mtu}`, 'link', 'set', name, 'mtu', mtu);
  // An adopted device may have another.
  if (mac !== undefined && standing.mac !== mac && standing.alias === wanted.alias)
    note(`has MAC ${standing.mac ?? 'none'}, not ${mac}`, 'link', 'set', name, 'address', mac);
  if (!standing.up) note('is down', 'link', 'set', name, 'up');
  const present = standing.addresses.map(({ ip, length }) => `${ip}/${length}`);
  for (const one of present)
    if (former.has(one) && !addresses.includes(one))
      note(`still has ${one}`, 'address', 'delete', one, 'dev', name);
  for (const one of addresses) if (!present.includes(one)) note(`has no ${one}`, ...addAddress(one, name));
  return all;
}

/** @throws Foreign where something of somebody else's would have to be changed */
function judged({ name, alias }: SceneLink, ours: string, found: Difference[]): Difference[] {
  const [first] = found;
  if (first === undefined || alias === ours) return found;
  throw new Foreign(`${first.what}, and missd did not make ${name}`);
}

/**
 * No address of its own accord, whose solicitations would be misses. Refused where the interface has no IPv6 (turned off, or
 * an MTU below 1280), and then there is none.
 */
const quiet = ({ name, linkLocal }: WantedLink): Step[] =>
  linkLocal ? [] : [{ mayFail: true, commands: [['link', 'set', name, 'addrgenmode', 'none']] }];

const addAddress = (address: string, name: string): Words => [
  ...['address', 'add', address, 'dev', name],
  // Several hosts may have a gateway's, and detection would take the other for a duplicate.
  ...(address.includes(':') ? ['nodad'] : []),
];

const addRoute = (to: string, name: string): Words => ['route', 'add', to, 'dev', name, 'proto', 'static'];

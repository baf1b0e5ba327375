/**
 * Runs all checks. An earlier group may explain a fault of a later one. This file gathers the facts; the file of each group
 * judges them and reads nothing.
 */
import { existsSync } from 'node:fs';
import type { DoctorOptions } from '../config/options.ts';
import { reasonOf } from '../base/errors.ts';
import { printed } from '../inspect/inside.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { setSysctl, sh } from '../screen/shell.ts';
import type { Ip } from '../base/vocabulary.ts';
import { type DaemonFacts, askDaemon, judgeDaemon, publishingOf, serves } from './daemon.ts';
import { deviceFacts, judgeAbsence, judgeDevice, judgeTwins } from './devices.ts';
import { examineDirectory } from './directories.ts';
import { type Finding, type Group, GROUPS, of } from './finding.ts';
import { judgeKernel } from './kernel.ts';
import { type LimitFacts, judgeLimits } from './limits.ts';
import { judgeOwners, readLocal } from './owners.ts';
import { judgePort } from './ports.ts';
import { type Privileges, judgePrivileges, readPrivileges } from './privileges.ts';
import type { Judged } from './records.ts';
import { type Scene, type Subject, closeScene, openScene, ownVteps, subjects } from './scene.ts';
import { tryFeatures } from './trials.ts';
import { examineTunnels } from './tunnels.ts';

/** Longest time for a group of checks, ms. */
const TIMEOUT = 15_000;

/**
 * Never rejects: a check that cannot run is a finding.
 * @param given options that name the directory, for the commands that are suggested
 * @returns the findings in the order of GROUPS
 */
export async function examine(
  kernel: Kernel,
  options: DoctorOptions,
  given: readonly string[] = [],
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const look = async (group: Group, act: () => Finding[] | Promise<Finding[]>): Promise<void> => {
    try {
      findings.push(...(await inTime(act())));
    } catch (error) {
      findings.push(of(group).warning('examined', `${group} could not be examined: ${reasonOf(error)}`));
    }
  };
  const scene = await openScene(kernel, options);
  try {
    const devices = subjects(scene);
    const daemon = await askDaemon(options.listen);
    await Promise.all([
      look('kernel', async () => judgeKernel(await tryFeatures(kernel).catch(reasonOf))),
      look('privileges', () => judgePrivileges(privileges(options, daemon))),
      look('limits', async () => judgeLimits(await limits(scene, devices))),
      look('devices', () => examineDevices(scene, devices, daemon)),
      look('ports', () => devices.flatMap((one) => judgePort(one, serves(daemon, one)))),
      look('daemon', () => judgeDaemon(daemon, devices)),
    ]);
    const joined = publishingOf(daemon).map(({ vni }) => vni);
    const records = await examineDirectory(scene, devices, look, given, joined);
    const own = ownVteps(scene);
    await look('owners', () => examineOwners(devices, records, own));
    await look('underlay', () => examineTunnels(scene, devices, records, own));
  } finally {
    closeScene(scene);
  }
  return GROUPS.flatMap((group) => findings.filter((one) => one.group === group));
}

async function inTime<T>(answer: T | Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`it took longer than ${TIMEOUT / 1000} s`));
    }, TIMEOUT);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

function privileges(options: DoctorOptions, { status }: DaemonFacts) {
  const daemon = status === undefined ? undefined : privilegesOf(status.pid);
  return {
    self: readPrivileges('self'),
    ...(status !== undefined && daemon !== undefined && { daemon: { ...daemon, pid: status.pid } }),
    entersNamespaces: options.netns.length > 0,
  };
}

/** Undefined if no such process is visible: the daemon may run in another PID namespace. */
function privilegesOf(pid: number): Privileges | undefined {
  try {
    return readPrivileges(pid);
  } catch {
    return undefined;
  }
}

async function limits(scene: Scene, devices: readonly Subject[]): Promise<LimitFacts> {
  const [first] = scene.places;
  const tables = ([4, 6] as const).flatMap((family) => {
    const table = first?.kernel.getNeighbourTable(family);
    return table === undefined ? [] : [{ family, table }];
  });
  const bridged = scene.places.filter((place) =>
    devices.some((one) => one.place === place && one.bridge !== undefined),
  );
  const filters = await Promise.all(
    bridged.map(async ({ path, name }) => {
      const file = '/proc/sys/net/bridge/bridge-nf-call-iptables';
      const value = Number(await printed(path, ['cat', file]).catch(() => '0'));
      const fix = setSysctl(path, ['net', 'bridge', 'bridge-nf-call-iptables'], 0);
      return { where: name, value, fix };
    }),
  );
  return {
    ...(first !== undefined && {
      receiveBuffer: { ...first.kernel.receiveBuffer, wanted: scene.options.receiveBuffer },
    }),
    privileged: readPrivileges('self').capabilities.has('CAP_NET_ADMIN'),
    tables,
    routed: devices.some(({ bridge }) => bridge === undefined),
    bridgeFilter: filters,
    root: existsSync('/proc/sys/net/ipv4/neigh/default/gc_thresh3') ? null : '/proc/1/ns/net',
  };
}

function examineDevices(scene: Scene, devices: readonly Subject[], daemon: DaemonFacts): Finding[] {
  const findings = judgeAbsence(devices, scene.missing, scene.places, scene.options.device);
  if (scene.iprouteError !== undefined)
    findings.push(
      of('devices').note(
        'iproute2',
        `iproute2 could not be run: ${scene.iprouteError}`,
        'Carrier, isolation, spanning tree, MLD queriers and the MTU of the underlay were not checked.',
        sh`apt-get install iproute2`,
      ),
    );
  for (const one of devices) findings.push(...judgeDevice(deviceFacts(one, serves(daemon, one))));
  return [...findings, ...judgeTwins(devices)];
}

async function examineOwners(
  devices: readonly Subject[],
  records: readonly Judged[],
  own: ReadonlySet<Ip>,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const one of devices) {
    const ofVni = records.find(({ vni }) => vni === one.link.vxlan.vni);
    findings.push(...judgeOwners(await readLocal(one), ofVni, own));
  }
  if (findings.length === 0 && devices.length > 0 && records.length > 0)
    findings.push(of('owners').ok('claims', 'no record gives an address of this host to another host'));
  return findings;
}

/** Examines underlay, MTU and offload of every device together, because the three need the same routes. */
import type { Ip } from '../base/vocabulary.ts';
import type { Finding } from './finding.ts';
import { judgeMtu } from './mtu.ts';
import { judgeOffload, readOffload } from './offload.ts';
import type { Judged } from './records.ts';
import type { Scene, Subject } from './scene.ts';
import { tunnel } from './tunnel.ts';
import { judgeUnderlay } from './underlay.ts';

export async function examineTunnels(
  scene: Scene,
  devices: readonly Subject[],
  records: readonly Judged[],
  own: ReadonlySet<Ip>,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const leaving = new Map<
    string,
    { path: string | null; name: string; device: string | undefined; tunnels: string[] }
  >();
  for (const one of devices) {
    const found = await tunnel(
      one,
      scene,
      hostsOf(records, one).filter((vtep) => !own.has(vtep)),
    );
    findings.push(...judgeUnderlay(found), ...judgeMtu(found));
    const { underlay, dev, ways } = found;
    if (underlay === undefined) continue;
    const device = dev?.name ?? ways.find(({ out }) => out !== undefined)?.out?.name;
    const key = `${underlay.name} ${device ?? ''}`;
    const together = leaving.get(key) ?? { path: underlay.path, name: underlay.name, device, tunnels: [] };
    if (one.place === underlay) together.tunnels.push(one.link.name);
    leaving.set(key, together);
  }
  for (const { path, name, device, tunnels } of leaving.values())
    findings.push(...judgeOffload(await readOffload({ path, name }, device, tunnels)));
  return findings;
}

/** VTEPs that the records of a device's VNI name. */
function hostsOf(records: readonly Judged[], { link }: Subject): Ip[] {
  const found = records.find(({ vni }) => vni === link.vxlan.vni);
  if (found === undefined) return [];
  const { ips, macs, leases } = found;
  return [
    ...new Set([
      ...[...ips.values()].map(({ vtep }) => vtep),
      ...macs.values(),
      ...[...leases.values()].map(({ vtep }) => vtep),
    ]),
  ];
}

/** A daemon that serves very many devices, each with entries, on fakes. */
import type { Daemon } from '../../../src/daemon/daemon.ts';
import type { ServedDevice } from '../../../src/model/device.ts';
import { daemonOnFakes } from './daemon.ts';
import { FakeDirectory } from './directory.ts';
import { FakeKernel, FakeNamespace } from './kernel.ts';
import { link, mac, turns, vtep, vxlanLink } from './world.ts';

export interface Crowd {
  daemon: Daemon;
  kernel: FakeNamespace;
  directory: FakeDirectory;
  devices: ServedDevice[];
}

const address = (n: number): string => `20.0.${n >> 8}.${n & 255}`;

/** Serving, adopted and compared. @param entries of each device */
export async function crowd(devices: number, entries: number): Promise<Crowd> {
  const kernel = new FakeKernel();
  const namespace = new FakeNamespace(() => performance.now());
  kernel.namespaces.set(null, namespace);
  const directory = new FakeDirectory();
  for (let n = 1; n <= devices; n++) {
    const [bridge, port, vxlan] = [10 * n, 10 * n + 1, 10 * n + 2];
    namespace.setLink(link(`br${n}`, bridge, { kind: 'bridge', bridge: { vlanFiltering: false } }));
    namespace.setLink(link(`p${n}`, port, { master: bridge }));
    // As long as a name can be.
    const name = `vxlan-${String(n).padStart(9, '0')}`;
    namespace.setLink({ ...vxlanLink(vxlan, true, { vni: n }, name), master: bridge });
  }
  const daemon = daemonOnFakes(kernel, directory, ['--audit', '3600']);
  daemon.start();
  while (daemon.host.devices().length < devices) await turns();
  for (const { tables, vni } of daemon.host.devices())
    for (let n = 0; n < entries; n++) {
      const at = performance.now();
      const source = { kind: 'ip' as const, name: address(n) };
      const times = { source, checkedAt: at, usedAt: at };
      tables.setNeighbour({ ip: address(n), mac: mac(n), ...times });
      tables.setFdb({ mac: mac(n), vtep: vtep(1 + (vni % 200)), router: false, ...times });
    }
  return { daemon, kernel: namespace, directory, devices: daemon.host.devices() };
}

/**
 * Metrics of each device. There may be hundreds of devices, so each has 15 series and no histogram: 200 devices make a
 * quarter of a megabyte. `missd top` shows single ports and addresses.
 */
import { LAYERS, OUTCOMES } from '../../base/outcomes.ts';
import type { Observed } from '../observed.ts';
import type { ServedDevice } from '../../model/device.ts';
import type { Metrics } from './metrics.ts';
import type { Sample } from './read-metric.ts';

export function publishDevices(to: Metrics, { host, replication }: Observed): void {
  const each = (sample: (device: ServedDevice, name: string) => Sample[]) => (): Sample[] =>
    host.devices().flatMap((device) => sample(device, device.name));

  to.gauge(
    'missd_device_info',
    'Always 1; the VNI, strategy and topology of a device',
    each(({ vni, bridge, strategy }, device) => [
      [{ device, vni: String(vni), strategy, topology: bridge === 0 ? 'routed' : 'bridged' }, 1],
    ]),
  );
  to.gauge(
    'missd_device_up',
    'Whether a device is up',
    each(({ link }, device) => [[{ device }, link.up ? 1 : 0]]),
  );
  to.counter(
    'missd_device_misses_total',
    'Misses that a device raised',
    each(({ counters }, device) => LAYERS.map((layer) => [{ device, layer }, counters.misses[layer]])),
  );
  to.counter(
    'missd_device_resolutions_total',
    'Questions of a device, by outcome',
    each(({ counters }, device) =>
      OUTCOMES.map((outcome) => [{ device, outcome }, counters.outcomes[outcome]]),
    ),
  );
  to.counter(
    'missd_device_lookups_total',
    'Questions of a device that were looked up in the directory',
    each(({ counters }, device) => [[{ device }, counters.lookups]]),
  );
  to.gauge(
    'missd_device_entries',
    'Entries held on a device, by kernel table',
    each(({ tables, routes }, device) => [
      [{ device, table: 'neighbour' }, tables.neighbours.size],
      [{ device, table: 'fdb' }, tables.fdb.size],
      [{ device, table: 'route' }, routes.size],
    ]),
  );
  to.gauge(
    'missd_device_default_remote',
    'Whether a foreign all-zeros FDB entry keeps a device with l2miss from raising L2 misses',
    each(({ defaultRemote, link }, device) => [
      [{ device }, defaultRemote !== undefined && link.vxlan.l2miss ? 1 : 0],
    ]),
  );
  to.counter(
    'missd_broadcasts_dropped_total',
    'Broadcasts above the limit, which were not copied to other hosts',
    async () =>
      (await replication.limits.dropped()).map<Sample>(([{ name }, count]) => [{ device: name }, count]),
  );
}

/** Passes kernel events of devices, tables and addresses to the parts of the daemon. */
import type { LaneName } from '../base/outcomes.ts';
import type { Preload } from '../proactive/preload.ts';
import { attempt } from '../base/guarded-lane.ts';
import type { Reconciler } from '../reconcile/reconciler.ts';
import type { Logger } from '../base/log.ts';
import type { Report } from './report.ts';
import type { Admission } from '../resolver/admission.ts';
import type { Throttle } from '../nft/throttle.ts';
import type { ServedDevice } from '../model/device.ts';
import type { Host } from '../links/host.ts';
import { prepare, prepareTopology } from '../links/prepare.ts';
import type { Settings } from '../model/device-settings.ts';
import type { NamespaceEvent } from '../links/namespace-event.ts';
import type { RequestedDevices } from '../links/requested-devices.ts';

/** The parts that events are passed to. */
export interface Concerned {
  host: Host;
  admission: Admission;
  throttle: Throttle;
  reconciler: Reconciler;
  preload: Preload;
  report: Report;
  requestedDevices: RequestedDevices;
  log: Logger;
  /** Whether devices that another missd serves are waited for. */
  wait: boolean;
  /** Opens the predecessor's record of the settings it changed on a device. */
  settings: (device: ServedDevice) => Settings;
  /** Follows the VNIs of all served devices. Never rejects. */
  follow: () => Promise<unknown>;
}

/** Passes an event to each part; an exception in one part does not affect the others. */
export function dispatch(event: NamespaceEvent, concerned: Concerned): void {
  for (const [lane, part] of partsOf(event, concerned)) attempt(lane, part, concerned.report);
}

type Part = readonly [lane: LaneName, part: () => void];

function partsOf(event: NamespaceEvent, concerned: Concerned): Part[] {
  const { host, admission, throttle, reconciler, preload, report, requestedDevices, log } = concerned;
  const audit = (devices: () => ServedDevice[]): Part => ['audit', () => reconciler.audit(devices())];
  switch (event.type) {
    case 'overrun': {
      const { socket } = event;
      // Missed changes lose nothing, because the tables are then dumped.
      if (socket === 'table') return [['table_monitor', () => reconciler.missRows()]];
      // The next audit reads the rows that bridges have learned.
      if (socket === 'bridge') return [['events', () => report.overrun(socket)]];
      return [['events', () => report.overrun(socket)], audit(() => host.devices())];
    }
    case 'rows':
      return [['table_monitor', () => reconciler.onRows(event)]];
    case 'senders':
    case 'port':
      return [];
    case 'malformed':
      return [['events', () => report.malformedMessages(event.count)]];
    case 'failed':
      return [['events', () => report.receiveFailed(event.socket, event.error)]];
    case 'served': {
      const { device } = event;
      return [
        [
          'devices',
          () => {
            device.settings = concerned.settings(device);
            prepare(device, host.devices(), log);
          },
        ],
        ['throttle', () => throttle.begin(device)],
        ['adopt', () => reconciler.begin(device, concerned.follow())],
      ];
    }
    case 'gone': {
      const { device } = event;
      return [
        ['misses', () => admission.abandon(device)],
        ['throttle', () => throttle.forget(device)],
        ['rechecks', () => reconciler.forget(device)],
        ['events', () => log.info(`${device.name} is no longer served`)],
        ['directory', () => void concerned.follow()],
      ];
    }
    case 'emptied': {
      const { device } = event;
      const why = device.link.up ? 'has another MAC' : 'went down';
      return [
        ['events', () => log.info(`${device.name} ${why}: the kernel emptied its tables`)],
        audit(() => [device]),
      ];
    }
    case 'up': {
      const { device } = event;
      return [
        ['events', () => log.info(`${device.name} is up`)],
        ['devices', () => prepareTopology(device, log)],
        audit(() => [device]),
        ['proactive', () => preload.renew([device])],
      ];
    }
    case 'bridged':
      return [
        ['devices', () => prepareTopology(event.device, log)],
        ['idle', () => reconciler.bridged(event.device)],
      ];
    case 'refused':
      return [['devices', () => requestedDevices.refuse(event.name, event.reason)]];
    case 'taken':
      return [
        [
          'devices',
          () => {
            log.info(`the lock of ${event.name} is held by ${event.by}`);
            if (concerned.wait) log.info(`another missd serves ${event.name}; waiting for it`);
            else requestedDevices.refuse(event.name, 'another missd serves it');
          },
        ],
      ];
    case 'squatted':
      return [
        [
          'devices',
          () =>
            log.warn(
              `${event.name}: a name of its lock is held by ${event.by}, which is no missd; it is served all the same`,
            ),
        ],
      ];
    case 'loaded':
      return [['devices', () => requestedDevices.check()]];
    case 'unassigned':
      return [['bridge_entries', () => reconciler.unassigned(event.device, event.ip)]];
    case 'addresses':
      return [
        [
          'misses',
          () => {
            for (const device of host.devices()) device.local.clear();
          },
        ],
        ['audit', () => reconciler.withdrawLocal(host.devices())],
      ];
  }
}

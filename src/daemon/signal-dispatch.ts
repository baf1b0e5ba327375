/** What the kernel's news of devices, tables and addresses means to each part of the daemon. */
import type { LaneName } from '../base/outcomes.ts';
import type { Ahead } from '../proactive/preload.ts';
import { attempt } from '../base/guarded-lane.ts';
import type { Keeper } from '../reconcile/reconciler.ts';
import type { Logger } from '../base/log.ts';
import type { Report } from './report.ts';
import type { Admission } from '../resolver/admission.ts';
import type { Throttle } from '../nft/throttle.ts';
import type { ServedDevice } from '../model/device.ts';
import type { Host } from '../links/host.ts';
import { prepare, prepareTopology } from '../links/prepare.ts';
import type { Settings } from '../model/device-settings.ts';
import type { Signal } from '../links/namespace-event.ts';
import type { Wishes } from '../links/requested-devices.ts';

/** Whom signals concern. */
export interface Concerned {
  host: Host;
  admission: Admission;
  throttle: Throttle;
  keeper: Keeper;
  ahead: Ahead;
  report: Report;
  wishes: Wishes;
  log: Logger;
  /** Whether devices that another missd serves are waited for. */
  wait: boolean;
  /** Opens what a predecessor wrote down of what it had set on a device. */
  settings: (device: ServedDevice) => Settings;
  /** Follows the VNIs that are served by now. Never rejects. */
  follow: () => Promise<unknown>;
}

/** Each part of the daemon hears of it, whatever became of it in another. */
export function heed(signal: Signal, concerned: Concerned): void {
  for (const [lane, part] of partsOf(signal, concerned)) attempt(lane, part, concerned.report);
}

type Part = readonly [lane: LaneName, part: () => void];

function partsOf(signal: Signal, concerned: Concerned): Part[] {
  const { host, admission, throttle, keeper, ahead, report, wishes, log } = concerned;
  const audit = (devices: () => ServedDevice[]): Part => ['audit', () => keeper.audit(devices())];
  switch (signal.type) {
    case 'overrun': {
      const { socket } = signal;
      // Nothing is lost with changes that went unheard: the tables are read whole.
      if (socket === 'table') return [['watch', () => keeper.missRows()]];
      // The next audit reads what bridges have learned.
      if (socket === 'bridge') return [['signals', () => report.overrun(socket)]];
      return [['signals', () => report.overrun(socket)], audit(() => host.devices())];
    }
    case 'rows':
      return [['watch', () => keeper.heedRows(signal)]];
    case 'malformed':
      return [['signals', () => report.malformedMessages(signal.count)]];
    case 'failed':
      return [['signals', () => report.receiveFailed(signal.socket, signal.error)]];
    case 'served': {
      const { device } = signal;
      return [
        [
          'devices',
          () => {
            device.settings = concerned.settings(device);
            prepare(device, host.devices(), log);
          },
        ],
        ['throttle', () => throttle.begin(device)],
        ['adopt', () => keeper.begin(device, concerned.follow())],
      ];
    }
    case 'gone': {
      const { device } = signal;
      return [
        ['misses', () => admission.abandon(device)],
        ['throttle', () => throttle.forget(device)],
        ['rechecks', () => keeper.forget(device)],
        ['signals', () => log.info(`${device.name} is no longer served`)],
        ['directory', () => void concerned.follow()],
      ];
    }
    case 'emptied': {
      const { device } = signal;
      const why = device.link.up ? 'has another MAC' : 'went down';
      return [
        ['signals', () => log.info(`${device.name} ${why}: the kernel emptied its tables`)],
        audit(() => [device]),
      ];
    }
    case 'up': {
      const { device } = signal;
      return [
        ['signals', () => log.info(`${device.name} is up`)],
        ['devices', () => prepareTopology(device, log)],
        audit(() => [device]),
        ['ahead', () => ahead.renew([device])],
      ];
    }
    case 'bridged':
      return [
        ['devices', () => prepareTopology(signal.device, log)],
        ['idle', () => keeper.bridged(signal.device)],
      ];
    case 'refused':
      return [['devices', () => wishes.refuse(signal.name, signal.reason)]];
    case 'taken':
      return [
        [
          'devices',
          () => {
            log.info(`the lock of ${signal.name} is held by ${signal.by}`);
            if (concerned.wait) log.info(`another missd serves ${signal.name}; waiting for it`);
            else wishes.refuse(signal.name, 'another missd serves it');
          },
        ],
      ];
    case 'squatted':
      return [
        [
          'devices',
          () =>
            log.warn(
              `${signal.name}: a name of its lock is held by ${signal.by}, which is no missd; it is served all the same`,
            ),
        ],
      ];
    case 'loaded':
      return [['devices', () => wishes.check()]];
    case 'unassigned':
      return [['moved_away', () => keeper.unassigned(signal.device, signal.ip)]];
    case 'addresses':
      return [
        [
          'misses',
          () => {
            for (const device of host.devices()) device.local.clear();
          },
        ],
        ['audit', () => keeper.withdrawLocal(host.devices())],
      ];
  }
}

/** What the kernel's news of devices, tables and addresses means to each part of the daemon. */
import type { Ahead } from './ahead/ahead.ts';
import type { Keeper } from './keep/keeper.ts';
import type { Logger } from './log.ts';
import type { Report } from './report.ts';
import type { Admission } from './resolve/admission.ts';
import type { Throttle } from './resolve/throttle.ts';
import type { Host } from './served/host.ts';
import { prepare, prepareTopology } from './served/prepare.ts';
import type { Signal } from './served/signal.ts';
import type { Wishes } from './served/wishes.ts';

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
  /** Follows the VNIs that are served by now. */
  follow: () => Promise<void>;
}

export function heed(signal: Signal, concerned: Concerned): void {
  const { host, admission, throttle, keeper, ahead, report, wishes, log } = concerned;
  switch (signal.type) {
    case 'overrun':
      // Nothing is lost with changes that went unheard: the tables are read whole.
      if (signal.socket === 'table') {
        keeper.missRows();
        return;
      }
      report.overrun(signal.socket);
      keeper.audit(host.devices());
      return;
    case 'rows':
      keeper.heedRows(signal);
      return;
    case 'malformed':
      report.malformedMessages(signal.count);
      return;
    case 'served':
      prepare(signal.device, host.devices(), log);
      throttle.begin(signal.device);
      keeper.begin(signal.device, concerned.follow());
      return;
    case 'gone':
      admission.abandon(signal.device);
      throttle.forget(signal.device);
      keeper.forget(signal.device);
      log.info(`${signal.device.name} is no longer served`);
      void concerned.follow();
      return;
    case 'emptied':
      log.info(
        `${signal.device.name} ${signal.device.link.up ? 'has another MAC' : 'went down'}: the kernel emptied its tables`,
      );
      keeper.audit([signal.device]);
      return;
    case 'up':
      log.info(`${signal.device.name} is up`);
      prepareTopology(signal.device, log);
      keeper.audit([signal.device]);
      ahead.renew([signal.device]);
      return;
    case 'bridged':
      prepareTopology(signal.device, log);
      return;
    case 'refused':
      wishes.refuse(signal.name, signal.reason);
      return;
    case 'taken':
      log.info(`the lock of ${signal.name} is held by ${signal.by}`);
      if (concerned.wait) log.info(`another missd serves ${signal.name}; waiting for it`);
      else wishes.refuse(signal.name, 'another missd serves it');
      return;
    case 'squatted':
      log.warn(
        `${signal.name}: a name of its lock is held by ${signal.by}, which is no missd; it is served all the same`,
      );
      return;
    case 'loaded':
      wishes.check();
      return;
    case 'addresses':
      for (const device of host.devices()) device.local.clear();
      keeper.audit(host.devices());
      return;
  }
}

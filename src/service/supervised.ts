/** A daemon under a service manager: its readiness, status and watchdog. */
import { Subscription } from 'rxjs';
import type { Logger } from '../base/log.ts';
import { type Standing, conditionOf } from './condition.ts';
import type { Notifier } from './notify.ts';

/** Time between two checks of the status, ms. */
const CHECK = 250;
/** EXTEND_TIMEOUT_USEC, µs from now. Every check sends it while the start waits, for a namespace for example. */
const MORE_TIME = '30000000';

/** Whether misses wait unread. A namespace that throws is being closed. */
function isStalled(kernel: { neglected: () => boolean }): boolean {
  try {
    return kernel.neglected();
  } catch {
    return false;
  }
}

/** The parts of a daemon that the service manager is told about. */
export type Supervised = Standing & {
  host: { namespaces: ReadonlyMap<string, { name: string; kernel: { neglected: () => boolean } }> };
};

/**
 * Sends the manager READY once, STATUS at every change, WATCHDOG while the event loop runs and misses are read, and
 * STOPPING at the end of the subscription.
 * @param notifier undefined without a service manager
 */
export function supervised(daemon: Supervised, notifier: Notifier | undefined, log: Logger): Subscription {
  const telling = new Subscription();
  if (notifier === undefined) return telling;
  let said = '';
  let ready = false;
  const check = (): void => {
    const { serving, words } = conditionOf(daemon);
    const news: Record<string, string> = {};
    if (words !== said) news['STATUS'] = words;
    if (serving && !ready) news['READY'] = '1';
    if (!serving && !ready) news['EXTEND_TIMEOUT_USEC'] = MORE_TIME;
    notifier.tell(news);
    said = words;
    ready ||= serving;
  };
  const watchdog = (): void => {
    const stalled = [...daemon.host.namespaces.values()].filter(({ kernel }) => isStalled(kernel));
    if (stalled.length === 0) notifier.tell({ WATCHDOG: '1' });
    else
      log.error(
        `misses of ${stalled.map(({ name }) => name).join(', ')} are not being read; no watchdog message is sent`,
      );
  };
  const timers = [setInterval(check, CHECK)];
  if (notifier.watchdog !== undefined) timers.push(setInterval(watchdog, notifier.watchdog));
  telling.add(() => {
    timers.forEach(clearInterval);
    notifier.tell({ STOPPING: '1', STATUS: 'stopping' });
  });
  return telling;
}

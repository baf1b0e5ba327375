/** A daemon under a service manager: its readiness, status and watchdog. */
import { Subscription } from 'rxjs';
import type { Logger } from '../base/log.ts';
import { type Standing, conditionOf } from './condition.ts';
import type { Notifier } from './notify.ts';

/** Time between two checks of the status, ms. */
const LOOK = 250;
/** How much longer than now a start may take, µs: said again and again while something is waited for that may come. */
const MORE_TIME = '30000000';

/** One that cannot tell is on its way out. */
function isDeaf(kernel: { neglected: () => boolean }): boolean {
  try {
    return kernel.neglected();
  } catch {
    return false;
  }
}

/** The part of a daemon that is used here. */
export type Supervised = Standing & {
  host: { namespaces: ReadonlyMap<string, { name: string; kernel: { neglected: () => boolean } }> };
};

/**
 * Tells the manager how the daemon stands until it is unsubscribed from, and that it stops then: READY once, STATUS
 * whenever it changes, and WATCHDOG while the event loop turns and what the kernel says is read.
 * @param notifier undefined where there is no manager
 */
export function supervised(daemon: Supervised, notifier: Notifier | undefined, log: Logger): Subscription {
  const telling = new Subscription();
  if (notifier === undefined) return telling;
  let said = '';
  let ready = false;
  const look = (): void => {
    const { serving, words } = conditionOf(daemon);
    const news: Record<string, string> = {};
    if (words !== said) news['STATUS'] = words;
    if (serving && !ready) news['READY'] = '1';
    if (!serving && !ready) news['EXTEND_TIMEOUT_USEC'] = MORE_TIME;
    notifier.tell(news);
    said = words;
    ready ||= serving;
  };
  const live = (): void => {
    const deaf = [...daemon.host.namespaces.values()].filter(({ kernel }) => isDeaf(kernel));
    if (deaf.length === 0) notifier.tell({ WATCHDOG: '1' });
    else log.error(`misses of ${deaf.map(({ name }) => name).join(', ')} wait unread; no sign of life`);
  };
  const timers = [setInterval(look, LOOK)];
  if (notifier.watchdog !== undefined) timers.push(setInterval(live, notifier.watchdog));
  telling.add(() => {
    timers.forEach(clearInterval);
    notifier.tell({ STOPPING: '1', STATUS: 'stopping' });
  });
  return telling;
}

/** Which ports have a guest at the other end. Compares with what was known, since a link event may have been lost. */
import type { Link } from '../base/vocabulary.ts';
import type { ServedDevice } from '../model/device.ts';
import type { NamespaceEvent } from './namespace-event.ts';
import { isGuestPort } from './ports.ts';

interface Known {
  bridge: number;
  usable: boolean;
}

export const isUsable = ({ up, noCarrier }: Link): boolean => up && noCarrier !== true;

export class PortStates {
  /** By ifindex. */
  readonly #known = new Map<number, Known>();

  /** @param behindBridge finds the served device of a bridge */
  follow(
    link: Link,
    removed: boolean,
    behindBridge: (bridge: number) => ServedDevice | undefined,
  ): NamespaceEvent[] {
    const { ifindex: port, master: bridge } = link;
    const before = this.#known.get(port);
    const present = !removed && isGuestPort(link);
    const usable = isUsable(link);
    if (present) this.#known.set(port, { bridge, usable });
    else this.#known.delete(port);
    const events: NamespaceEvent[] = [];
    const tell = (of: number, state: 'up' | 'down' | 'gone'): void => {
      const device = behindBridge(of);
      if (device !== undefined) events.push({ type: 'port', device, port, state });
    };
    if (before !== undefined && (!present || before.bridge !== bridge)) tell(before.bridge, 'gone');
    if (!present) return events;
    const same = before?.bridge === bridge ? before : undefined;
    if (usable && same?.usable !== true) tell(bridge, 'up');
    if (!usable && same?.usable === true) tell(bridge, 'down');
    return events;
  }
}

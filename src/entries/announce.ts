import type { AnnouncementOutcome } from '../base/outcomes.ts';
import type { Announcement } from '../kernel/kernel.ts';
import type { Asker } from '../base/vocabulary.ts';
import type { Answer } from '../model/question.ts';
import type { ServedDevice } from '../model/device.ts';

/** A freshly written neighbour, and who asked for it. */
export interface Told {
  device: ServedDevice;
  ip: string;
  answer: Answer;
  askers: readonly Asker[];
}

/** Duplicate address detection asks from no address (RFC 4862 §5.4.2, RFC 5227 §2.1). */
export const isDad = (asker: Asker): boolean => asker.ip === '::' || asker.ip === '0.0.0.0';

/**
 * Stage 8 of a miss. Takes neighbours just written with their askers; sends one ARP reply or neighbour advertisement to each.
 *
 * The kernel consumed the question that raised the miss, and the guest asks again only after a second. One reply sent
 * by us completes its neighbour at once and releases the packet it has queued.
 *
 * It goes straight out of the asker's bridge port, to the asker alone: never through the bridge, where it could be
 * flooded into the tunnel, and never where the asker is not known, since that could be duplicate address detection.
 */
export class Announcer {
  readonly #count: (outcome: AnnouncementOutcome, by: number) => void;

  constructor(count: (outcome: AnnouncementOutcome, by: number) => void) {
    this.#count = count;
  }

  /**
   * Tells the askers of freshly written neighbours. All devices must be of one namespace.
   * @returns how many were sent
   */
  tell(told: readonly Told[]): number {
    const announcements: Announcement[] = [];
    for (const { device, ip, answer, askers } of told) {
      // Without `proxy` the kernel does not consume the question, and a reply would be tunnelled to other hosts.
      if (device.bridge === 0 || !device.link.vxlan.proxy) continue;
      if (askers.length === 0) this.#count('unknown_asker', 1);
      for (const asker of askers) {
        if (isDad(asker)) this.#count('dad', 1);
        else {
          const to = { lladdr: asker.lladdr, ip: asker.ip };
          announcements.push({ port: asker.port, ip, lladdr: answer.mac, to, router: answer.router });
        }
      }
    }
    const kernel = told[0]?.device.namespace.kernel;
    if (kernel === undefined || announcements.length === 0) return 0;
    const failed = kernel.announce(announcements);
    this.#count('failed', failed);
    this.#count('sent', announcements.length - failed);
    return announcements.length - failed;
  }

  /**
   * Tells every guest of the bridge of an address's MAC, but for those behind some ports.
   * @param except ifindexes of ports
   */
  tellAll(
    device: ServedDevice,
    ip: string,
    { mac, router }: { mac: string; router: boolean },
    except: ReadonlySet<number> = new Set(),
  ): void {
    if (device.bridge === 0 || !device.link.vxlan.proxy) return;
    const announcements = device.namespace
      .guestPorts(device)
      .filter((port) => !except.has(port))
      .map((port) => ({ port, ip, lladdr: mac, router }));
    if (announcements.length === 0) return;
    const failed = device.namespace.kernel.announce(announcements);
    this.#count('failed', failed);
    this.#count('sent', announcements.length - failed);
  }

  /** An address had to wait for so long that telling of it is of no use, or too many waited. */
  dropped(): void {
    this.#count('dropped', 1);
  }
}

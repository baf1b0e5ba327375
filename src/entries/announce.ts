import type { AnnouncementOutcome } from '../base/outcomes.ts';
import type { Announcement } from '../kernel/kernel.ts';
import type { Asker } from '../base/vocabulary.ts';
import type { Answer } from '../model/question.ts';
import type { ServedDevice } from '../model/device.ts';

/** A freshly written neighbour and the guests that asked for it. */
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
 * The kernel consumed the question that raised the miss, and the guest asks again only after a second. A reply from
 * missd completes the guest's neighbour at once, and the guest sends the packets that it has queued.
 *
 * The reply leaves by the asker's bridge port, to the asker alone. The bridge could flood it into the tunnel, so the
 * bridge never forwards it. An unknown asker gets no reply, because the question could be duplicate address detection.
 */
export class Announcer {
  readonly #count: (outcome: AnnouncementOutcome, by: number) => void;

  constructor(count: (outcome: AnnouncementOutcome, by: number) => void) {
    this.#count = count;
  }

  /**
   * Sends a reply to each asker of freshly written neighbours. All devices must be of one namespace.
   * @returns number of replies sent
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
   * Announces an address and its MAC on every guest port of the bridge.
   * @param except ifindexes of the ports to leave out
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

  /** Counts an announcement that waited too long or found the queue full. */
  dropped(): void {
    this.#count('dropped', 1);
  }
}

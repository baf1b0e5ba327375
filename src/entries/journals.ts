/** The journals of a daemon's devices, all in one folder on tmpfs, which a container shares with its host. */
import type { VxlanLink } from '../model/vxlan-link.ts';
import type { Journal } from '../model/journal.ts';
import type { JournalFailure } from '../base/outcomes.ts';
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { reasonOf } from '../base/errors.ts';
import type { ServedDevice } from '../model/device.ts';
import { Settings } from '../model/device-settings.ts';
import { FileJournal, type JournalContent, type JournalSource, readJournal } from './journal.ts';

/**
 * Journals kept in the folder. One of a device that is gone stays, since only the next start could tell; with so many
 * the oldest go.
 */
const MOST_JOURNALS = 4_096;

const SUFFIX = '.journal';
const SETTINGS = '.settings';

/** What tells a device from every other one: its namespace by inode, and what a device made again would differ in. */
export interface JournalDevice {
  namespace: number;
  link: VxlanLink;
}

export class Journals {
  readonly #folder: string;
  readonly #boot: string;
  readonly #failed: (reason: JournalFailure, what: string) => void;

  constructor(folder: string, failed: (reason: JournalFailure, what: string) => void) {
    this.#folder = folder;
    this.#boot = bootId();
    this.#failed = failed;
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      for (const suffix of [SUFFIX, SETTINGS]) prune(folder, suffix);
    } catch (error) {
      // Told again by each journal that cannot be opened, with its path.
      failed('open', `${folder}: ${reasonOf(error)}`);
    }
  }

  open(device: JournalDevice, source: JournalSource): Journal {
    return new FileJournal(pathOf(this.#folder, device), keyOf(this.#boot, device), source, this.#failed);
  }
}

/**
 * What is written down of a device, for a command beside the daemon or after it.
 * @throws where there is a journal that cannot be read
 */
export const readJournalOf = (folder: string, device: JournalDevice): JournalContent | undefined =>
  readJournal(pathOf(folder, device), keyOf(bootId(), device));

/** What was set on a device besides, by whomever serves it now or did before. Of none where there is no folder. */
export const settingsOf = (folder: string | undefined, device: JournalDevice): Settings =>
  new Settings(
    folder === undefined
      ? undefined
      : { path: pathOf(folder, device, SETTINGS), key: keyOf(bootId(), device) },
  );

/** What a journal is written anew from: what is held and known to be ours, and what is known not to be. */
export const sourceOf = ({ tables, foreign }: ServedDevice): JournalSource => ({
  *held() {
    for (const entry of tables.fdb.values()) if (!tables.unproven.has(entry.mac)) yield entry;
  },
  count: () => tables.fdb.size,
  *foreign() {
    for (const [mac, vtep] of foreign) yield { mac, vtep };
  },
});

const pathOf = (folder: string, { namespace, link }: JournalDevice, suffix = SUFFIX): string =>
  join(folder, `${namespace}-${link.ifindex}${suffix}`);

const keyOf = (boot: string, { namespace, link }: JournalDevice): string =>
  [boot, namespace, link.ifindex, link.vxlan.vni, link.lladdr].join(' ');

/** The kernel makes one at each start (random(4)). Without one, in a sandbox, all starts are alike. */
function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return 'unknown';
  }
}

function prune(folder: string, suffix: string): void {
  const names = readdirSync(folder).filter((name) => name.endsWith(suffix));
  if (names.length <= MOST_JOURNALS) return;
  const dated = names.map((name) => ({ name, at: statSync(join(folder, name)).mtimeMs }));
  dated.sort((one, other) => one.at - other.at);
  for (const { name } of dated.slice(0, names.length - MOST_JOURNALS))
    rmSync(join(folder, name), { force: true });
}

/** The journals of all devices, in one folder on tmpfs, which a container shares with its host. */
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
 * Journals kept in the folder. The journal of a removed device stays, because only the next start could tell; beyond
 * this number the oldest are deleted.
 */
const MOST_JOURNALS = 4_096;

const SUFFIX = '.journal';
const SETTINGS = '.settings';

/** Identifies a device: the inode of its namespace, and the attributes in which a recreated device would differ. */
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
      // Each journal that cannot be opened reports its own path as well.
      failed('open', `${folder}: ${reasonOf(error)}`);
    }
  }

  open(device: JournalDevice, source: JournalSource): Journal {
    return new FileJournal(pathOf(this.#folder, device), keyOf(this.#boot, device), source, this.#failed);
  }
}

/**
 * The journal of a device, for a command that runs beside or after the daemon.
 * @throws where the journal exists and cannot be read
 */
export const readJournalOf = (folder: string, device: JournalDevice): JournalContent | undefined =>
  readJournal(pathOf(folder, device), keyOf(bootId(), device));

/** The settings noted for a device by this or an earlier daemon; empty without a folder. */
export const settingsOf = (folder: string | undefined, device: JournalDevice): Settings =>
  new Settings(
    folder === undefined
      ? undefined
      : { path: pathOf(folder, device, SETTINGS), key: keyOf(bootId(), device) },
  );

/** The rows for a rewrite of the journal: the held ones that are proven, and the foreign ones. */
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

/** The kernel's boot id (random(4)). A sandbox may have none; then all boots look alike. */
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

/** Which FDB rows of a device missd wrote, as the other parts ask for it; entries/journal.ts keeps it in a file. */
import type { Ip, Mac } from '../base/vocabulary.ts';
import { isGroup } from '../base/mac.ts';

/** An FDB row, as far as the journal knows it. */
export interface JournalRow {
  mac: Mac;
  vtep: Ip;
}

export interface Journal {
  /** There was none before, and what stands has not been adopted yet: whoever wrote it kept no journal. */
  readonly isNew: boolean;
  /** Whether missd wrote this row: of an endpoint as the journal had it when it was opened, until `adopted`. */
  wrote(mac: Mac, vtep: Ip): boolean;
  /** Whether this row was seen to be somebody else's. */
  disowned(mac: Mac, vtep: Ip): boolean;
  /** These are about to be written. */
  intend(rows: readonly JournalRow[]): void;
  /** These are removed. */
  forget(macs: readonly Mac[]): void;
  /** This is somebody else's. */
  disown(row: JournalRow): void;
  /** What was read at the start has been taken over: from now on the held tables say what is ours. */
  adopted(): void;
  /** Writes again what could not be written. */
  tick(): void;
  close(): void;
}

/** Where none is kept: what it knows of groups is gone with the process. */
export class VolatileJournal implements Journal {
  isNew = true;
  /** Rows of groups, of which there are few; those of endpoints are in the held tables. */
  protected readonly groups = new Set<string>();

  wrote(mac: Mac, vtep: Ip): boolean {
    return this.groups.has(rowKey({ mac, vtep }));
  }
  disowned(_mac: Mac, _vtep: Ip): boolean {
    return false;
  }
  intend(rows: readonly JournalRow[]): void {
    for (const row of rows) if (isGroup(row.mac)) this.groups.add(rowKey(row));
  }
  forget(macs: readonly Mac[]): void {
    for (const mac of macs)
      if (isGroup(mac)) for (const key of this.groups) if (key.startsWith(mac)) this.groups.delete(key);
  }
  disown(_row: JournalRow): void {
    // The process remembers it itself, see ServedDevice.
  }
  adopted(): void {
    this.isNew = false;
  }
  tick(): void {
    // Nothing is behind.
  }
  close(): void {
    // Nothing is open.
  }
}

export const rowKey = ({ mac, vtep }: JournalRow): string => `${mac} ${vtep}`;

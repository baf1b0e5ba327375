/** The FDB rows of a device that missd wrote. entries/journal.ts keeps the journal in a file. */
import type { Ip, Mac } from '../base/vocabulary.ts';
import { isGroup } from '../base/mac.ts';

/** The part of an FDB row that the journal keeps. */
export interface JournalRow {
  mac: Mac;
  vtep: Ip;
}

export interface Journal {
  /** There was no journal, and the rows in the kernel have not been adopted yet. */
  readonly isNew: boolean;
  /** Whether missd wrote this row. For an endpoint: by the journal as opened, and only until `adopted`. */
  wrote(mac: Mac, vtep: Ip): boolean;
  /** Whether this row was found to be foreign. */
  disowned(mac: Mac, vtep: Ip): boolean;
  /** Notes rows that are about to be written. */
  intend(rows: readonly JournalRow[]): void;
  /** Notes that the rows of these MACs are removed. */
  forget(macs: readonly Mac[]): void;
  /** Notes that a row is foreign. */
  disown(row: JournalRow): void;
  /** Notes that adoption is over: from now on the desired tables list the rows of missd. */
  adopted(): void;
  /** Retries lines that could not be written. */
  tick(): void;
  close(): void;
}

/** A journal without a file: the rows of groups are forgotten with the process. */
export class VolatileJournal implements Journal {
  isNew = true;
  /** Rows of groups; there are few. The rows of endpoints are in the desired tables. */
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
    // ServedDevice.foreign remembers the row.
  }
  adopted(): void {
    this.isNew = false;
  }
  tick(): void {
    // There is nothing to retry.
  }
  close(): void {
    // Nothing is open.
  }
}

export const rowKey = ({ mac, vtep }: JournalRow): string => `${mac} ${vtep}`;

/**
 * The FDB rows that missd wrote on a device. The kernel stores no owner with an FDB row, and other control planes use the
 * same flags, so every row is noted in a file before the kernel gets it.
 *
 * A device has one file in a folder on tmpfs (`/run/missd`), with one line for each event. The last line of a MAC counts:
 *
 *   missd journal 1 BOOT NAMESPACE IFINDEX VNI LLADDR    the head: whose rows these are
 *   + MAC VTEP                                           about to be written
 *   - MAC                                                removed
 *   ! MAC VTEP                                           foreign: seen and left
 *
 * A batch of rows is one append of a few kilobytes before the netlink write: tmpfs does not block, and an appended line
 * survives a SIGKILL. A failed append is counted and does not stop the netlink write; its rows then need other evidence.
 */
import { readOwnFile } from '../base/read-text.ts';
import { type JournalRow, VolatileJournal, rowKey } from '../model/journal.ts';
import type { JournalFailure } from '../base/outcomes.ts';
import { closeSync, constants, ftruncateSync, openSync, renameSync, writeSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { reasonOf } from '../base/errors.ts';
import type { Ip, Mac } from '../base/vocabulary.ts';
import { isGroup } from '../base/mac.ts';

/** The rows of the device that are ours, and the foreign ones, at this moment. */
export interface JournalSource {
  held: () => Iterable<JournalRow>;
  /** Number of held rows, or a few more. */
  count: () => number;
  foreign: () => Iterable<JournalRow>;
}

/** A journal is rewritten when it has this many lines more than twice the held rows. */
const SLACK = 4_096;
/** Lines formatted in one turn of the event loop. */
const AT_ONCE = 2_000;

/** A journal of ten million entries, bytes. */
const LARGEST = 1024 ** 3;
/** O_NONBLOCK: a FIFO must not block. O_NOFOLLOW: a symbolic link must not lead out of the folder. */
const APPEND =
  constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK | constants.O_NOFOLLOW;

const HEAD = 'missd journal 1';
const MAC = '(?:[0-9a-f]{2}:){5}[0-9a-f]{2}';
const LINE = new RegExp(`^(?:([+!]) (${MAC}) ([0-9a-f.:]{2,45})|- (${MAC}))$`);

/** The rows that the lines of a journal describe. */
export interface JournalContent {
  /** The VTEPs of the last two writes: a process may have been killed between the line and the row. */
  ours: Map<Mac, Ip[]>;
  foreign: Map<Mac, Ip>;
  lines: number;
  /** Lines that do not parse. */
  corrupt: number;
}

/**
 * @param key of the device: boot, namespace, ifindex, VNI and MAC
 * @returns undefined where the file is absent or has no head; empty where the head names another device
 */
export function readJournal(path: string, key: string): JournalContent | undefined {
  const text = readOwnFile(path, LARGEST);
  if (text === undefined) return undefined;
  const [head = '', ...lines] = text.split('\n');
  const content: JournalContent = { ours: new Map(), foreign: new Map(), lines: 0, corrupt: 0 };
  if (!head.startsWith(`${HEAD} `)) return undefined;
  if (head !== `${HEAD} ${key}`) return content;
  for (const line of lines) if (line !== '') readLine(line, content);
  return content;
}

function readLine(line: string, content: JournalContent): void {
  const { ours, foreign } = content;
  content.lines++;
  const [, sign, named, vtep, removed] = LINE.exec(line) ?? [];
  if (removed !== undefined) {
    ours.delete(removed);
    foreign.delete(removed);
  } else if (named === undefined || vtep === undefined) content.corrupt++;
  else if (sign === '!') {
    ours.delete(named);
    foreign.set(named, vtep);
  } else {
    foreign.delete(named);
    // A group has a row for each host, an endpoint has one.
    const before = ours.get(named) ?? [];
    if (!before.includes(vtep))
      ours.set(named, isGroup(named) ? [...before, vtep] : [...before.slice(-1), vtep]);
  }
}

/** Never throws: failures go to `failed`. */
export class FileJournal extends VolatileJournal {
  readonly #path: string;
  readonly #head: string;
  readonly #source: JournalSource;
  readonly #failed: (reason: JournalFailure, what: string) => void;
  /** The content at the start; undefined after `adopted`. */
  #read: JournalContent | undefined;
  #isAdopted = false;
  #file: number | undefined;
  #lines = 0;
  /** The file lacks a line, or its last line is cut off. */
  #incomplete = false;
  /** Lines that came while the file is rewritten. */
  #meanwhile: string[] | undefined;
  #closed = false;

  /** @param key of the device: boot, namespace, ifindex, VNI and MAC */
  constructor(
    path: string,
    key: string,
    source: JournalSource,
    failed: (reason: JournalFailure, what: string) => void,
  ) {
    super();
    this.#path = path;
    this.#head = `${HEAD} ${key}\n`;
    this.#source = source;
    this.#failed = failed;
    try {
      this.#read = readJournal(path, key);
    } catch (error) {
      failed('open', reasonOf(error));
    }
    this.isNew = this.#read === undefined;
    if (this.#read !== undefined) this.#take(this.#read);
    this.#open(this.#lines === 0);
  }

  #take({ ours, lines, corrupt }: JournalContent): void {
    if (corrupt > 0) this.#failed('corrupt', `${this.#path}: ${corrupt} of ${lines} lines do not parse`);
    for (const [mac, vteps] of ours)
      if (isGroup(mac)) for (const vtep of vteps) this.groups.add(rowKey({ mac, vtep }));
    this.#lines = lines;
  }

  override wrote(mac: Mac, vtep: Ip): boolean {
    return isGroup(mac) ? super.wrote(mac, vtep) : this.#read?.ours.get(mac)?.includes(vtep) === true;
  }

  override disowned(mac: Mac, vtep: Ip): boolean {
    return this.#read?.foreign.get(mac) === vtep;
  }

  override intend(rows: readonly JournalRow[]): void {
    super.intend(rows);
    let text = '';
    for (const { mac, vtep } of rows) text += `+ ${mac} ${vtep}\n`;
    this.#append(text, rows.length);
  }

  override forget(macs: readonly Mac[]): void {
    super.forget(macs);
    let text = '';
    for (const mac of macs) text += `- ${mac}\n`;
    this.#append(text, macs.length);
  }

  override disown(row: JournalRow): void {
    this.#append(`! ${rowKey(row)}\n`, 1);
  }

  override adopted(): void {
    super.adopted();
    this.#read = undefined;
    this.#isAdopted = true;
    this.#compact();
  }

  override tick(): void {
    if (this.#incomplete) this.#compact();
  }

  override close(): void {
    this.#closed = true;
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  /** @param anew empties the file */
  #open(anew: boolean): void {
    try {
      this.#file = openSync(this.#path, APPEND, 0o600);
      if (!anew) return;
      ftruncateSync(this.#file);
      this.#write(this.#file, this.#head);
    } catch (error) {
      this.#incomplete = true;
      this.#failed('open', reasonOf(error));
    }
  }

  #append(text: string, lines: number): void {
    if (lines === 0 || this.#closed) return;
    this.#meanwhile?.push(text);
    if (this.#file === undefined) return;
    this.#lines += lines;
    try {
      this.#write(this.#file, text);
    } catch (error) {
      this.#incomplete = true;
      this.#failed('write', reasonOf(error));
      return;
    }
    // Before adoption, a journal of the held rows would lose the rows read at the start.
    if (this.#isAdopted && this.#lines > SLACK) this.#compactIfLong();
  }

  #write(file: number, text: string): void {
    // A new line must not become part of a line that was cut off.
    const whole = this.#incomplete ? `\n${text}` : text;
    const length = Buffer.byteLength(whole);
    const written = writeSync(file, whole);
    if (written < length) throw new Error(`${written} of ${length} bytes written`);
  }

  #compactIfLong(): void {
    if (this.#meanwhile !== undefined) return;
    const held = this.#source.count();
    // Counting is slow: it happens once per `SLACK` lines.
    if (this.#lines > 2 * held + SLACK) this.#compact();
    else this.#lines = Math.max(this.#lines, SLACK);
  }

  /** Rewrites the journal from the held rows into a second file; the first stays in use meanwhile. */
  #compact(): void {
    if (this.#meanwhile !== undefined || this.#closed) return;
    this.#meanwhile = [];
    void this.#rewrite()
      .catch((error: unknown) => {
        if (this.#closed) return;
        this.#incomplete = true;
        this.#failed('write', reasonOf(error));
      })
      .finally(() => {
        this.#meanwhile = undefined;
      });
  }

  async #rewrite(): Promise<void> {
    const path = `${this.#path}.new`;
    const file = openSync(path, 'w', 0o600);
    let count = 0;
    try {
      let text = this.#head;
      const flush = (): void => {
        writeWhole(file, text);
        text = '';
      };
      for (const key of this.groups) text += `+ ${key}\n`;
      for (const [sign, rows] of [
        ['!', this.#source.foreign()],
        ['+', this.#source.held()],
      ] as const)
        for (const row of rows) {
          text += `${sign} ${rowKey(row)}\n`;
          if (++count % AT_ONCE !== 0) continue;
          flush();
          await turn();
          if (this.#closed) throw new Error('closed while it was rewritten');
        }
      flush();
      for (const late of this.#meanwhile ?? []) writeWhole(file, late);
      renameSync(path, this.#path);
    } catch (error) {
      closeSync(file);
      throw error;
    }
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = file;
    this.#lines = count;
    this.#incomplete = false;
  }
}

function writeWhole(file: number, text: string): void {
  const length = Buffer.byteLength(text);
  const written = writeSync(file, text);
  if (written < length) throw new Error(`${written} of ${length} bytes written`);
}

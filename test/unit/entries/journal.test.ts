import type { JournalRow } from '../../../src/model/journal.ts';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FileJournal, readJournal } from '../../../src/entries/journal.ts';
import { mac, vtep } from '../fake/world.ts';

const KEY = 'boot 1 5 100 02:00:00:00:ff:05';
const ALL = 'ff:ff:ff:ff:ff:ff';

let folder: string;
let path: string;
let held: JournalRow[];
let failures: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'missd-journal-'));
  path = join(folder, 'one.journal');
  held = [];
  failures = [];
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const open = (key = KEY, at = path): FileJournal =>
  new FileJournal(at, key, { held: () => held, count: () => held.length, foreign: () => [] }, (reason) =>
    failures.push(reason),
  );
const row = (n: number, behind = 2): JournalRow => ({ mac: mac(n), vtep: vtep(behind) });
const rewritten = (lines: number): Promise<void> =>
  vi.waitFor(() => {
    expect(readFileSync(path, 'utf8').trim().split('\n')).toHaveLength(lines + 1);
  });

describe('the journal', () => {
  it('has the rows to be written after a SIGKILL, and not the removed rows', () => {
    const first = open();
    expect(first.isNew).toBe(true);
    first.intend([row(1), row(2)]);
    first.forget([mac(2)]);
    first.disown(row(3));
    // Nothing is closed or awaited.
    const next = open();
    expect(next.isNew).toBe(false);
    expect(next.wrote(mac(1), vtep(2))).toBe(true);
    expect(next.wrote(mac(1), vtep(3))).toBe(false);
    expect(next.wrote(mac(2), vtep(2))).toBe(false);
    expect(next.disowned(mac(3), vtep(2))).toBe(true);
    expect(failures).toEqual([]);
  });

  it('has both VTEPs of a row that was to be moved: a line may exist without its row', () => {
    open().intend([row(1, 2)]);
    open().intend([row(1, 3)]);
    open().intend([row(1, 4)]);
    const next = open();
    expect([2, 3, 4].map((n) => next.wrote(mac(1), vtep(n)))).toEqual([false, true, true]);
  });

  it('is ignored for a recreated device, and after another boot', () => {
    open().intend([row(1)]);
    const other = open('boot 1 5 100 02:00:00:00:ff:06');
    expect(other.isNew).toBe(false);
    expect(other.wrote(mac(1), vtep(2))).toBe(false);
    // And what was there is not mixed with its own.
    other.intend([row(2)]);
    expect(readJournal(path, KEY)?.ours.size).toBe(0);
  });

  it('reads the valid lines of a corrupt file, and counts the others', () => {
    open().intend([row(1)]);
    appendFileSync(path, '+ 02:00:00:00:00:02 10.9\0\n+ 02:00:00\nnonsense\n');
    open().intend([row(3)]);
    const next = open();
    expect([1, 2, 3].map((n) => next.wrote(mac(n), vtep(2)))).toEqual([true, false, true]);
    expect(failures).toEqual(['corrupt', 'corrupt']);
    writeFileSync(path, '\0\0\0\0');
    expect(open().isNew).toBe(true);
  });

  it('is rewritten from the held rows, and keeps lines that are added meanwhile', async () => {
    const journal = open();
    for (let n = 0; n < 4_200; n++) journal.intend([row(1), row(2)]);
    held = [row(1)];
    journal.adopted();
    journal.intend([row(7)]);
    await rewritten(2);
    journal.intend([row(8)]);
    const next = open();
    expect([1, 2, 7, 8].map((n) => next.wrote(mac(n), vtep(2)))).toEqual([true, false, true, true]);
  });

  it('does not grow without bound', async () => {
    const journal = open();
    journal.adopted();
    await rewritten(0);
    held = [row(1)];
    for (let n = 0; n < 20_000; n++) {
      journal.intend([row(1)]);
      if (n % 500 === 0) await turn();
    }
    await vi.waitFor(() => {
      expect(readFileSync(path, 'utf8').split('\n').length).toBeLessThan(10_000);
    });
    expect(failures).toEqual([]);
  });

  it('counts failed appends, goes on, and is rewritten when it can be written again', async () => {
    mkdirSync(path);
    const journal = open();
    journal.intend([row(1)]);
    held = [row(1)];
    journal.adopted();
    await vi.waitFor(() => {
      // Neither to be read, nor to be opened, nor to be replaced.
      expect(failures).toEqual(['open', 'open', 'write']);
    });
    rmSync(path, { recursive: true });
    journal.tick();
    await rewritten(1);
    expect(open().wrote(mac(1), vtep(2))).toBe(true);
  });

  it('has the rows of groups, one for each host', () => {
    open().intend([1, 2, 3].map((n) => ({ mac: ALL, vtep: vtep(n) })));
    const next = open();
    next.adopted();
    expect([1, 2, 3, 4].map((n) => next.wrote(ALL, vtep(n)))).toEqual([true, true, true, false]);
    next.close();
  });
});

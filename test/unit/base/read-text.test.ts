import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readText } from '../../../src/base/read-text.ts';

let dir: string;
const at = (name: string): string => join(dir, name);

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'missd-text-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

describe('a file that is read', () => {
  it('is read whole, also through a symbolic link, and if stat gives no size', () => {
    writeFileSync(at('a'), 'é'.repeat(1_500_000));
    symlinkSync('a', at('b'));
    expect(readText(at('b'))).toBe('é'.repeat(1_500_000));
    expect(readText('/proc/self/status')).toMatch(/^Name:/);
  });

  it('is refused at once if it is no regular file', () => {
    execFileSync('mkfifo', [at('fifo')]);
    mkdirSync(at('directory'));
    symlinkSync('fifo', at('link'));
    const kinds: [string, string][] = [
      [at('fifo'), 'a fifo'],
      [at('link'), 'a fifo'],
      [at('directory'), 'a directory'],
      ['/dev/zero', 'a device'],
    ];
    for (const [path, kind] of kinds)
      expect(() => readText(path)).toThrow(`${path}: not a regular file but ${kind}`);
  });

  it('is refused above its bound, at any size', () => {
    writeFileSync(at('a'), Buffer.alloc(2 * 1024 ** 2 + 1));
    execFileSync('truncate', ['-s', '1T', at('sparse')]);
    expect(() => readText(at('a'), 2 * 1024 ** 2)).toThrow(`${at('a')}: larger than 2097152 bytes`);
    expect(() => readText(at('sparse'))).toThrow('larger than 33554432 bytes');
    writeFileSync(at('a'), Buffer.alloc(2 * 1024 ** 2));
    expect(readText(at('a'), 2 * 1024 ** 2)).toHaveLength(2 * 1024 ** 2);
  });

  it('is named in the error if it cannot be read', () => {
    expect(() => readText(at('none'))).toThrow(`${at('none')}: no such file`);
  });
});

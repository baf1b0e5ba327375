import { pino } from 'pino';
import { beforeEach, describe, expect, it } from 'vitest';
import { FoldedLog } from '../../../src/base/log.ts';

describe('FoldedLog', () => {
  let time: number;
  let said: string[];
  let log: FoldedLog;

  beforeEach(() => {
    time = 0;
    said = [];
    const logger = pino(
      {},
      { write: (line: string) => void said.push((JSON.parse(line) as { msg: string }).msg) },
    );
    log = new FoldedLog(logger, () => time);
  });

  it('logs the first complaint at once and the others of a minute in one line', () => {
    log.warn('malformed', 'one');
    log.warn('malformed', 'two');
    log.warn('malformed', 'three');
    time = 59_999;
    log.flush();
    expect(said).toEqual(['malformed: one']);
    time = 60_000;
    log.flush();
    expect(said).toEqual(['malformed: one', 'malformed: 2 more in 60 s, the latest three']);
  });

  it('folds each kind separately, and forgets a kind that has ended', () => {
    log.warn('one', 'a');
    log.warn('other', 'b');
    time = 60_000;
    log.flush();
    expect(said).toEqual(['one: a', 'other: b']);
    log.warn('one', 'c');
    expect(said.at(-1)).toBe('one: c');
  });

  it('separates complaints of one kind by a key, and folds good news as well', () => {
    const down = (reason: string): void => {
      log.warn('down', reason, { apart: reason });
    };
    down('refused');
    down('no route');
    log.info('up');
    down('refused');
    log.info('up');
    expect(said).toEqual(['down: refused', 'down: no route', 'up']);
    time = 60_000;
    log.flush();
    expect(said.slice(3)).toEqual(['down: 1 more in 60 s, the latest refused', 'up: 1 more in 60 s']);
  });

  it('writes printable text only, and one line of it', () => {
    log.warn('record', '\u001b[31mred\r\n\u0000\u202e\u009b');
    expect(said).toEqual(['record: \\x1b[31mred\\x0d\\x0a\\x00\\x202e\\x9b']);
    log.warn('long', 'x'.repeat(100_000));
    expect(said.at(-1)).toBe(`long: ${'x'.repeat(200)}…`);
  });

  it('remembers a bounded number of kinds', () => {
    for (let n = 0; n <= 4_096; n++) log.warn(`kind ${n}`, 'x');
    log.warn('kind 0', 'again');
    log.warn('kind 4096', 'held back');
    expect(said.at(-1)).toBe('kind 0: again');
  });
});

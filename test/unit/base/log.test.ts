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

  it('says the first at once and the rest of a minute in one line', () => {
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

  it('folds kinds apart, and forgets one that is over', () => {
    log.warn('one', 'a');
    log.warn('other', 'b');
    time = 60_000;
    log.flush();
    expect(said).toEqual(['one: a', 'other: b']);
    log.warn('one', 'c');
    expect(said.at(-1)).toBe('one: c');
  });

  it('tells complaints of one kind apart where that is asked for, and folds good news as well', () => {
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

  it('lets nothing through that is not text, nor more than a line of it', () => {
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

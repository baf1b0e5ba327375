import { beforeEach, describe, expect, it } from 'vitest';
import { openLog } from '../../../src/base/log.ts';
import { LogOutput } from '../../../src/base/log-output.ts';

/** What write(2) says next: an errno, or how much it takes at most. */
let next: (string | number)[];
let written: string;
let output: LogOutput;
beforeEach(() => {
  next = [];
  written = '';
  output = new LogOutput((bytes) => {
    const answer = next.shift() ?? Infinity;
    if (typeof answer === 'string') throw Object.assign(new Error(answer), { code: answer });
    const taken = bytes.subarray(0, answer);
    written += Buffer.from(taken).toString();
    return taken.length;
  });
});

describe('a line of the log', () => {
  it.each(['ENOSPC', 'EPIPE', 'EIO', 'EBADF', 'ECONNRESET', 'EFBIG'])(
    'that meets %s is lost and counted, and the next line is written',
    (errno) => {
      next = [errno];
      output.write('one\n');
      output.write('two\n');
      expect(written).toBe('two\n');
      expect(output.lost).toBe(1);
    },
  );

  it('that was written in part is ended before the next line', () => {
    next = [2, 'ENOSPC'];
    output.write('one\n');
    output.write('two\n');
    expect(written).toBe('on\ntwo\n');
    expect(output.lost).toBe(1);
  });

  it('is written in pieces if the output takes only a part', () => {
    next = [1, 1];
    output.write('one\n');
    expect(written).toBe('one\n');
    expect(output.lost).toBe(0);
  });

  it('waits in order for a slow reader, up to a bound, and is then lost', () => {
    const most = 256;
    next = Array.from({ length: 10_000 }, () => 'EAGAIN');
    const line = (n: number): string => `${String(n).padStart(1_023)}\n`;
    for (let n = 0; n < 1_000; n++) output.write(line(n));
    expect(written).toBe('');
    expect(output.lost).toBe(1_000 - most);
    next = [];
    output.flush();
    expect(written).toBe(Array.from({ length: most }, (_, n) => line(n)).join(''));
  });
});

describe.each(['json', 'pretty'] as const)('a log of the format %s', (logFormat) => {
  it('goes on, and reports the number of lost lines', () => {
    const log = openLog({ logLevel: 'info', logFormat }, output);
    next = ['ENOSPC', 'ENOSPC'];
    for (const text of ['one', 'two', 'three']) log.info(text);
    expect(written).not.toMatch(/one|two/);
    expect(written).toMatch(/three[^]*2 lines of the log were lost: ENOSPC/);
    expect(output.lost).toBe(2);
  });
});

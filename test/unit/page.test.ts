import { describe, expect, test } from 'vitest';
import { shows, stepsOf } from '../lab/page.ts';

describe('the runnable parts of a page', () => {
  test('commands, their output, files, preparations, and blocks that other tests run', () => {
    const page = [
      '# Title',
      '<!-- prepare: ip link',
      'ip route -->',
      '```sh',
      '# a comment',
      'one \\',
      '  --two # why',
      'three',
      '```',
      '```console',
      '$ four',
      'says this',
      '…',
      '$ five',
      '```',
      '<!-- file: a.yaml -->',
      '',
      '```yaml',
      'a: 1',
      '```',
      '<!-- seen in: test/lab/demo.test.ts -->',
      '```sh',
      'npm run demo',
      '```',
      '```yaml',
      'only: shown',
      '```',
    ].join('\n');
    expect(stepsOf(page)).toEqual([
      { line: 2, kind: 'command', what: 'ip link' },
      { line: 2, kind: 'command', what: 'ip route' },
      { line: 4, kind: 'command', what: 'one --two # why' },
      { line: 4, kind: 'command', what: 'three' },
      { line: 10, kind: 'console', what: 'four', text: 'says this\n…' },
      { line: 10, kind: 'console', what: 'five', text: '' },
      { line: 18, kind: 'file', what: 'a.yaml', text: 'a: 1\n' },
      { line: 22, kind: 'elsewhere', what: 'test/lab/demo.test.ts', text: 'npm run demo' },
    ]);
  });

  test.each(['```sh\nls', '<!-- prepair: ls -->'])('a misspelt remark is an error', (page) => {
    expect(() => stepsOf(page)).toThrow();
  });
});

describe('the output of a command', () => {
  test.each([
    ['20.0.0.2 up 4 s', '20.0.0.2 up 17.5 s\n', true],
    ['a (b) [c]', 'a (b)   [c]', true],
    ['first\n…\nlast', 'first\nsecond\nthird\nlast', true],
    ['first\n…\nlast', 'first\nlast', true],
    ['…\nlast', 'first\nlast', true],
    ['first\n…', 'first\nlast', true],
    ['first\n…\nlast', 'first\nsecond', false],
    ['first', 'first\nsecond', false],
    ['at …/redis.sock now', 'at /tmp/x-1/redis.sock now', true],
    ['up', 'down', false],
    ['20.0.0.2 up', 'fd20::2 up', false],
  ])('%j shows %j: %j', (shown, printed, same) => {
    expect(shows(shown, printed)).toBe(same);
  });
});

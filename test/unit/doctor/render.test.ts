import { describe, expect, test } from 'vitest';
import { type Finding, isBroken, of } from '../../../src/doctor/finding.ts';
import { render } from '../../../src/doctor/render.ts';
import { sh } from '../../../src/screen/shell.ts';
import { paletteFor } from '../../../src/screen/palette.ts';

const PLAIN = paletteFor({}, {});
const COLOUR = paletteFor({ isTTY: true }, {});
const say = of('devices');

const LONG = sh`redis-cli -s /run/redis/redis.sock ACL SETUSER missd ${'~missd:* and a word with spaces'} +mget +scan +smembers +dbsize`;
const FINDINGS: Finding[] = [
  of('kernel').ok('tried', '14 features'),
  say.ok('flags', 'vxlan100'),
  say.warning(
    'learning',
    'vxlan100 learns',
    'Any guest can redirect.',
    sh`ip link set vxlan100 type vxlan nolearning`,
  ),
  say.broken(
    'l3miss',
    'vxlan100 has no l3miss',
    `Unknown addresses raise no miss. ${'word '.repeat(40)}`,
    LONG,
  ),
];

describe('render', () => {
  test.each([80, 200])('in %i columns', (columns) => {
    const lines = render(FINDINGS, PLAIN, columns).split('\n');
    const isCommand = (line: string): boolean => /^ {12,14}(redis-cli|ip |\+)/.test(line);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
    const prose = lines.filter((line) => !isCommand(line));
    expect(Math.max(...prose.map((line) => line.length))).toBeLessThanOrEqual(100);
    expect(lines[0]).toBe('kernel      ok       14 features');
    // What is worst comes first, and a group is named once.
    const words = lines.map((line) => line.trim().split(/\s+/));
    expect(words.filter(([first]) => first === 'devices')).toHaveLength(1);
    const broken = lines.findIndex((line) => line.includes('broken   '));
    expect(broken).toBeGreaterThan(0);
    expect(lines.findIndex((line) => line.includes('warning  '))).toBeGreaterThan(broken);
    expect(lines.at(-2)).toBe('1 broken, 1 warning.');
  });

  test.each([60, 65, 70, 75, 80, 85])(
    'a command wrapped to %i columns is one command for a shell',
    (columns) => {
      const lines = render(FINDINGS, PLAIN, columns).split('\n');
      const first = lines.findIndex((line) => line.includes('redis-cli'));
      const last = lines.findIndex((line, at) => at >= first && !line.endsWith(' \\'));
      const command = lines.slice(first, last + 1);
      expect(command.length).toBeGreaterThan(1);
      expect(command.map((line) => line.replace(/ \\$/, '').trim()).join(' ')).toBe(LONG);
      expect(command.some((line) => line.includes("'~missd:* and a word with spaces'"))).toBe(true);
    },
  );

  test('colour only if enabled, and never from the findings', () => {
    const evil = [say.broken('x', 'a key \u001b[31m', 'why\u0007', sh`redis-cli DEL ${'\u001b'}`)];
    expect(render(evil, PLAIN, 80)).not.toMatch(/[^\x20-\x7e\n]/);
    expect(render(evil, COLOUR, 80)).toContain('\u001b[');
    expect(render(evil, COLOUR, 80)).not.toContain('key \u001b');
  });

  test('without a fault the summary is one line', () => {
    expect(render(FINDINGS.slice(0, 2), PLAIN, 80)).toMatch(/\n\nNothing is wrong\.\n$/);
    expect(isBroken(FINDINGS.slice(0, 3))).toBe(false);
    expect(isBroken(FINDINGS)).toBe(true);
  });
});

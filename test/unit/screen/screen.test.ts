import { describe, expect, test } from 'vitest';
import pc from 'picocolors';
import { beside, visible } from '../../../src/screen/beside.ts';
import { columns } from '../../../src/screen/columns.ts';
import { cut } from '../../../src/screen/cut.ts';
import { fields } from '../../../src/screen/fields.ts';
import { count, rate } from '../../../src/screen/number.ts';
import { heightOf, widthOf } from '../../../src/screen/size.ts';
import { type Column, table } from '../../../src/screen/table.ts';

const PLAIN = pc.createColors(false);
const COLOURED = pc.createColors(true);

test.each([
  ['as it is', 'abc', 3, 'abc'],
  ['cut', 'abcd', 3, 'ab…'],
  ['to nothing', 'abcd', 0, ''],
])('a text cut to a width: %s', (_, text, width, expected) => {
  expect(cut(text, width)).toBe(expected);
});

test.each([
  [0, '0'],
  [12_345.4, '12,345'],
  [9_999_999, '9,999,999'],
  [12_345_678, '12.3 M'],
  [1e12, '1,000 G'],
])('the count %d is written as %s', (value, expected) => {
  expect(count(value)).toBe(expected);
});

test.each([
  [0, '0'],
  [0.01, '<0.1'],
  [0.25, '0.3'],
  [2, '2'],
  [9.96, '10'],
  [1_234.5, '1,235'],
])('the rate %d is written as %s', (value, expected) => {
  expect(rate(value)).toBe(expected);
});

test('a terminal has a size, a pipe has none', () => {
  expect([widthOf({ isTTY: true, columns: 132 }), heightOf({ isTTY: true, rows: 50 })]).toEqual([132, 50]);
  expect([widthOf({ isTTY: true, columns: 0 }), heightOf({ isTTY: true })]).toEqual([80, 24]);
  expect([widthOf({ columns: 80 }), heightOf({})]).toEqual([Infinity, Infinity]);
});

describe('a table', () => {
  const head: Column[] = [
    { title: 'NAME', least: 4 },
    { title: 'N', right: true },
    { title: 'MAYBE', optional: true },
    { title: 'STATE' },
  ];
  const rows = [
    ['device-one', '1', 'perhaps', 'up'],
    ['two', '12,345', 'no', 'down'],
  ];

  test('is aligned, numbers to the right', () => {
    expect(table(head, rows, Infinity, PLAIN)).toEqual([
      'NAME             N  MAYBE    STATE',
      'device-one       1  perhaps  up',
      'two         12,345  no       down',
    ]);
  });

  test('that does not fit: columns are narrowed first', () => {
    expect(table(head, rows, 30, PLAIN)).toEqual([
      'NAME         N  MAYBE    STATE',
      'devic…       1  perhaps  up',
      'two     12,345  no       down',
    ]);
  });

  test('then optional columns are left out, and the others get the room', () => {
    expect(table(head, rows, 24, PLAIN)).toEqual(
      ['NAME             N  STATE', 'device-one       1  up', 'two         12,345  down'].map((line) =>
        line.replace('device-one', 'device-o…').replace(/^(NAME|two)( +)/, (all) => all.slice(0, -1)),
      ),
    );
  });

  test('finally lines are cut', () => {
    for (const line of table(head, rows, 12, PLAIN)) expect(line.length).toBeLessThanOrEqual(12);
  });

  test('wraps prose', () => {
    const why: Column[] = [{ title: 'NAME' }, { title: 'WHY', prose: true }];
    expect(
      table(why, [['vx', 'its bridge filters VLANs, so one address may be several']], 32, PLAIN),
    ).toEqual([
      'NAME  WHY',
      'vx    its bridge filters VLANs,',
      '      so one address may be',
      '      several',
    ]);
  });

  test('has the same text with and without colour', () => {
    const coloured = table(
      head,
      [
        [
          ['up', COLOURED.green],
          ['7', COLOURED.red],
        ],
      ],
      40,
      COLOURED,
    );
    expect(coloured.join()).toContain('\u001b[32mup\u001b[39m');
    expect(coloured.map(visible)).toEqual(table(head, [['up', '7']], 40, PLAIN).map((line) => line.length));
  });
});

describe('columns', () => {
  const head = ['VNI', 'IP', 'MAC', 'VTEP', 'NOTES'];
  const row = [
    '100',
    'fd20:1234:5678:9abc:def0:1234:5678:9abc',
    '02:42:14:00:00:02',
    'fd10:1234:5678:9abc::2',
    'router',
  ];

  test('are one line each in a pipe', () => {
    expect(columns(head, [row]).split('\n')[1]).toBe(row.join('  '));
  });

  test('continue on the next line of a narrow terminal, complete', () => {
    const lines = columns(head, [row], 80).split('\n').slice(2, -1);
    expect(lines).toEqual([
      '100  fd20:1234:5678:9abc:def0:1234:5678:9abc  02:42:14:00:00:02',
      '    fd10:1234:5678:9abc::2  router',
    ]);
  });

  test('give an empty cell no line of its own', () => {
    const long = ['100', row[1] ?? '', row[2] ?? '', 'fd10:1234:5678:9abc::2', '-'];
    const text = columns(head, [long, ['100', '20.0.0.2', '02:42:14:00:00:02', '-', '-']], 80);
    expect(text.split('\n').slice(2, -1)).toEqual([
      '100  fd20:1234:5678:9abc:def0:1234:5678:9abc  02:42:14:00:00:02',
      '    fd10:1234:5678:9abc::2  -',
      '100  20.0.0.2                                 02:42:14:00:00:02  -',
    ]);
  });

  test('make untrusted cells harmless, at any length', () => {
    const text = columns(['A', 'B'], [['\u001b[2J\u0007\u202e', 'x'.repeat(5_000)]], 80);
    expect(text).toMatch(/^[\x20-\x7e…\n]*$/);
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });
});

describe('fields', () => {
  test('are the ones that fit whole', () => {
    expect(fields(['one', 'two', 'a longer one', 'four'], 20)).toBe('one   two   four');
  });

  test('always include the first', () => {
    expect(fields(['something long'], 8)).toBe('somethi…');
  });

  test('have no width for their colour', () => {
    expect(fields([['one', COLOURED.red], 'two'], 9)).toBe('\u001b[31mone\u001b[39m   two');
  });
});

test('two blocks are side by side, with any colours', () => {
  expect(beside([COLOURED.red('ab'), 'abc'], ['1', '2', '3'], 5)).toEqual([
    '\u001b[31mab\u001b[39m   1',
    'abc  2',
    '     3',
  ]);
});

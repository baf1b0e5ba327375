/** Renders the findings for a terminal: one line for a group without faults, and commands that can be copied. */
import { harmless } from '../screen/columns.ts';
import type { Palette } from '../screen/palette.ts';
import { wrapped } from '../screen/wrap.ts';
import { type Finding, type Group, GROUPS, LEVELS, type Level } from './finding.ts';

/** Lines of prose longer than this are hard to read, however wide the terminal. */
const WIDEST = 100;
const GROUP = 12;
const LEVEL = 9;
const INDENT = ' '.repeat(GROUP + LEVEL);

interface Widths {
  prose: number;
  command: number;
}

/** @param columns of the terminal; Infinity if the output is not a terminal, so that commands are not wrapped */
export function render(findings: readonly Finding[], pc: Palette, columns: number): string {
  const width = Math.min(columns, WIDEST);
  const lines = GROUPS.flatMap((group) => {
    const all = findings.filter((one) => one.group === group);
    return all.length === 0 ? [] : renderGroup(group, all, pc, { prose: width, command: columns });
  });
  return `${lines.join('\n')}\n\n${summary(findings, pc)}\n`;
}

function renderGroup(group: Group, all: readonly Finding[], pc: Palette, widths: Widths): string[] {
  const bad = [...LEVELS]
    .reverse()
    .filter((level) => level !== 'ok')
    .flatMap((level) => all.filter((one) => one.level === level));
  const good = all.filter(({ level }) => level === 'ok').map(({ what }) => what);
  const lines: string[] = [];
  if (good.length > 0) lines.push(...entry('ok', folded(good), pc, widths.prose));
  for (const one of bad) {
    lines.push(...entry(one.level, one.what, pc, widths.prose));
    if (one.why !== undefined)
      lines.push(...prose(one.why, widths.prose).map((line) => pc.dim(`${INDENT}${line}`)));
    // Commands are indented less than prose, so that more of them fit on one line and can be copied.
    for (const command of one.fix ?? [])
      lines.push(...typeable(command, widths.command).map((line) => pc.cyan(line)));
  }
  // The group's name precedes its first line.
  return lines.map((line, at) => (at === 0 ? `${pc.bold(group.padEnd(GROUP))}${line.slice(GROUP)}` : line));
}

function entry(level: Level, what: string, pc: Palette, width: number): string[] {
  const colour = { ok: pc.green, note: pc.blue, warning: pc.yellow, broken: pc.red }[level];
  return prose(what, width).map((line, at) =>
    at === 0 ? `${' '.repeat(GROUP)}${colour(level.padEnd(LEVEL))}${line}` : `${INDENT}${line}`,
  );
}

const prose = (text: string, width: number): string[] =>
  wrapped(harmless(text).split(' '), width - INDENT.length);

/** One line at most, because many lines without a fault would hide the faults. */
function folded(good: readonly string[]): string {
  const [first = '', second, ...rest] = good;
  if (second === undefined) return first;
  return rest.length === 0 ? `${first}; ${second}` : `${first}; ${second}; and ${rest.length} more`;
}

/** Wraps a command with backslashes, so that a shell reads it as one line. */
function typeable(command: string, width: number): string[] {
  const room = width - GROUP - 2;
  const text = harmless(command);
  // A quoted word stays whole, and a comment has no second line.
  const words = text.includes(' # ') ? [text] : (text.match(/(?:'[^']*'|"[^"]*"|\\.|[^\s'"\\])+/g) ?? []);
  const lines = wrapped(words, room, 'whole');
  return lines.map(
    (line, at) => `${' '.repeat(at === 0 ? GROUP : GROUP + 2)}${line}${at === lines.length - 1 ? '' : ' \\'}`,
  );
}

function summary(findings: readonly Finding[], pc: Palette): string {
  const count = (level: Level): number => findings.filter((one) => one.level === level).length;
  const [broken, warnings, notes] = [count('broken'), count('warning'), count('note')];
  const also = notes === 0 ? '' : `, ${notes} ${notes === 1 ? 'note' : 'notes'}`;
  if (broken + warnings === 0) return pc.green(`Nothing is wrong${also}.`);
  const parts = [
    ...(broken === 0 ? [] : [pc.red(`${broken} broken`)]),
    ...(warnings === 0 ? [] : [pc.yellow(`${warnings} ${warnings === 1 ? 'warning' : 'warnings'}`)]),
  ];
  return `${parts.join(', ')}${also}.`;
}

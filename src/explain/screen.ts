/** Renders an explanation for a terminal: a line per finding, the verdict, and the command to type next. */
import { harmless } from '../screen/columns.ts';
import type { Palette } from '../screen/palette.ts';
import { duration } from '../screen/span.ts';
import { wrapped } from '../screen/wrap.ts';
import type { Explanation } from './explain.ts';
import type { Finding, Level } from './finding.ts';

/** Width of the columns before a finding's text: stage and level. */
const INDENT = 'mac record  bad   '.length;
const WORDS: Record<Level, string> = { ok: 'ok', note: '-', warn: 'warn', bad: 'BAD', unknown: '?' };

/** A line is not broken between a number and its unit. */
const WORD = / (?!(?:s|ms|min|h|days|bytes)\b)/;

/** @param width columns of the terminal; Infinity if the output is not a terminal, so that no line is wrapped */
export function screen(
  { vni, address, device, namespace, findings, verdict }: Explanation,
  pc: Palette,
  width: number,
): string {
  const colours = { ok: pc.green, note: pc.dim, warn: pc.yellow, bad: pc.red, unknown: pc.yellow };
  const where = namespace === null ? '' : ` in ${namespace.replace(/^\/run\/netns\//, '')}`;
  const heading = plain(`${address} in VNI ${vni}, as ${device}${where} sees it`);
  const lines = [...wrapped(heading.split(' '), width).map((line) => pc.bold(line)), ''];
  let before = '';
  for (const one of findings) {
    const [first = '', ...rest] = wrapped(textOf(one).split(WORD), Math.max(40, width - INDENT));
    const stage = one.stage === before ? '' : one.stage;
    const word = colours[one.level](WORDS[one.level].padEnd(4));
    lines.push(`${stage.padEnd(INDENT - 6)}${word}  ${first}`);
    for (const line of rest) lines.push(`${' '.repeat(INDENT)}${line}`);
    before = one.stage;
  }
  const colour = verdict.works ? (verdict.cause === undefined ? pc.green : pc.yellow) : pc.red;
  const said = wrapped(plain(verdict.says).split(' '), Math.max(40, width - 'verdict: '.length));
  lines.push(
    '',
    ...said.map((line, at) => `${at === 0 ? pc.bold('verdict: ') : '         '}${colour(line)}`),
  );
  // A command is to be copied, so it is not wrapped.
  if (verdict.next !== undefined) lines.push(`${pc.bold('next:    ')}${plain(verdict.next)}`);
  return `${lines.join('\n')}\n`;
}

const textOf = ({ text, age }: Finding): string =>
  plain(age === undefined || / ago\b/.test(text) ? text : `${text} (${duration(age)} ago)`);

/** Records are untrusted, so control characters must not reach the terminal. */
const plain = (text: string): string => harmless(text);

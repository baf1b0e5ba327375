/** docs/reference.md as the definitions of the commands have it. */
import { type Argument, Command, type Option } from 'commander';
import * as prettier from 'prettier';
import { COMMANDS } from '../../../src/cli/commands.ts';
import { declare } from '../../../src/config/options.ts';

const HEAD = `# Reference of commands and options

<!-- Generated from the definitions of the commands by \`npm run docs\`. Do not edit. -->

Every command prints its part of this page with \`--help\`:

\`\`\`sh
missd --help
missd run --help
\`\`\`

A value comes from the flag, else from the environment variable, else from the YAML file of \`--config\`, else it is the
default. Keys of the file are the long names without the dashes (\`key-prefix\`). One file serves every command: a command
ignores the keys that only others have, and a key that \`missd run\` does not have is an error. A repeatable option takes several values
separated by commas as well; in the file its value is a list. SIGHUP makes the daemon read the file again:
[what takes effect at once](operating.md#other-options-without-a-restart).

| exit code | meaning                                                             |
| --------- | ------------------------------------------------------------------- |
| 0         | success                                                             |
| 1         | runtime failure, or a finding: \`explain\` and \`doctor\` found a fault |
| 2         | invalid usage or configuration; one line on stderr says what        |

\`NO_COLOR\` turns colours off. A stack trace appears only with \`--log-level debug\`.
`;

/** Options of `missd run` are explained there; other commands refer to them. */
const shared = new Map(declare(new Command(), 'run').options.map((one) => [one.flags, one.description]));
const isShared = (one: Option): boolean => shared.get(one.flags) === one.description;

export async function referenceText(): Promise<string> {
  const commands = await Promise.all([...COMMANDS.values()].map(async (load) => (await load())()));
  const sections = commands.flatMap((one) => sectionsOf(one, 'missd'));
  const options = await prettier.resolveConfig(new URL('../../../docs/reference.md', import.meta.url));
  return prettier.format([HEAD, ...sections].join('\n'), { ...options, parser: 'markdown' });
}

/** A command and those under it. @param explained tables of options of commands before, and where they are */
function sectionsOf(command: Command, parent: string, explained = new Map<string, string>()): string[] {
  const path = `${parent} ${command.name()}`;
  const level = parent === 'missd' ? '##' : '###';
  const below = command.commands.filter((one) => one.name() !== 'help');
  const parts = [
    `${level} ${path}`,
    sentence(command.description()),
    ...(below.length === 0 ? [fence(`${path} ${command.usage()}`)] : []),
    ...tablesOf(command, path, explained),
    ...examplesOf(command),
  ];
  return [`${parts.join('\n\n')}\n`, ...below.flatMap((one) => sectionsOf(one, path, explained))];
}

function tablesOf(command: Command, path: string, explained: Map<string, string>): string[] {
  const options = command.options.filter(({ hidden }) => !hidden);
  const own = path === 'missd run' ? options : options.filter((one) => !isShared(one));
  const others = options.filter((one) => !own.includes(one));
  const [ownTable = ''] = table(['option', 'meaning', 'default', 'environment'], own.map(optionRow));
  const before = explained.get(ownTable);
  if (own.length > 1) explained.set(ownTable, before ?? path);
  return [
    ...table(['argument', 'meaning'], command.registeredArguments.map(argumentRow)),
    ...(before === undefined ? [ownTable] : [`Its options are those of ${linkTo(before)}.`]),
    ...(others.length === 0 ? [] : [`As in ${linkTo('missd run')}: ${others.map(nameOf).join(', ')}.`]),
  ].filter((part) => part !== '');
}

const linkTo = (path: string): string => `[\`${path}\`](#${path.replaceAll(' ', '-')})`;
const nameOf = (one: Option): string => `\`${one.long ?? one.flags}\``;

const argumentRow = (one: Argument): string[] => [
  `\`${one.name()}\`${one.required ? '' : ' (optional)'}`,
  one.description,
];

function optionRow(one: Option): string[] {
  // Where the default is no value, the description says it.
  const [, meaning = '', told = ''] = /^(.*?)(?: \(default: (.*)\))?$/.exec(one.description) ?? [];
  const choices = one.argChoices === undefined ? '' : `: ${one.argChoices.join(', ')}`;
  return [`\`${one.flags}\``, meaning + choices, told || defaultOf(one), code(one.envVar)];
}

function defaultOf({ defaultValue, defaultValueDescription }: Option): string {
  const value: unknown = defaultValueDescription ?? defaultValue;
  return typeof value === 'string' || typeof value === 'number' ? code(`${value}`) : '';
}

/** What `addHelpText('after', …)` has added to the help. */
function examplesOf(command: Command): string[] {
  let whole = '';
  command.configureOutput({ writeOut: (text) => (whole += text), getOutHelpWidth: () => 100 });
  command.outputHelp();
  const after = whole.slice(command.helpInformation().length).trim();
  return after === '' ? [] : [fence(after)];
}

const fence = (text: string): string => `\`\`\`text\n${text}\n\`\`\``;
const code = (text: string | undefined): string => (text === undefined ? '' : `\`${text}\``);
const sentence = (text: string): string =>
  text.charAt(0).toUpperCase() + text.slice(1) + (text.endsWith('.') ? '' : '.');

/** Columns that say nothing are left out. */
function table(head: string[], rows: string[][]): string[] {
  if (rows.length === 0) return [];
  const used = (cells: string[]): string[] => cells.filter((_, at) => rows.some((row) => row[at] !== ''));
  const line = (cells: string[]): string =>
    `| ${used(cells)
      .map((one) => one.replaceAll('|', '\\|'))
      .join(' | ')} |`;
  return [[head, head.map(() => '---'), ...rows].map(line).join('\n')];
}

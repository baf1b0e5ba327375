#!/usr/bin/env node
/** The front door: every command, and how errors leave the building. */
import './daemon/hangup.ts';
import { writeSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { UsageError, reasonOf } from './base/errors.ts';
import { COMMANDS } from './cli/commands.ts';
import { onOneLine } from './screen/escape-controls.ts';
import { VERSION } from './base/version.ts';

const USAGE = 2;
const FAILURE = 1;

async function program(): Promise<Command> {
  const asked = COMMANDS.get(process.argv[2] ?? '');
  const commands = await Promise.all(
    (asked === undefined ? [...COMMANDS.values()] : [asked]).map((load) => load()),
  );
  const missd = new Command('missd')
    .description("Answers the Linux kernel's VXLAN misses from a directory, and owns the entries it writes.")
    .version(VERSION)
    .configureHelp({ sortSubcommands: false });
  for (const make of commands) missd.addCommand(make());
  everywhere(missd, (command) => {
    command.exitOverride().showHelpAfterError(false).configureOutput({ outputError: sayUsageError });
  });
  return missd;
}

function everywhere(command: Command, apply: (command: Command) => void): void {
  apply(command);
  for (const one of command.commands) everywhere(one, apply);
}

/** One line, whatever commander has to say. */
function sayUsageError(text: string, write: (text: string) => void): void {
  write(
    `missd: ${text
      .replace(/^error: /, '')
      .trim()
      .replace(/\s*\n\s*/g, ' ')}\n`,
  );
}

function wantsTrace(): boolean {
  const { argv, env } = process;
  return (
    argv.includes('--log-level=debug') ||
    argv[argv.indexOf('--log-level') + 1] === 'debug' ||
    env['MISSD_LOG_LEVEL'] === 'debug'
  );
}

// A reader that has seen enough (`| head`) is no failure; that a terminal is gone or a disk is full can only be told on
// the way out. Whatever a lab has made is removed then, and a daemon, which prints nothing here, does not come by.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  sayError(`missd: standard output: ${reasonOf(error)}\n`);
  process.exit(FAILURE);
});
// Node's own warnings: there is nowhere else to say them.
process.stderr.on('error', () => undefined);

/** Where nobody can be told, the exit code says it. */
function sayError(text: string): void {
  try {
    writeSync(2, text);
  } catch {
    // A full disk, a terminal or reader that is gone.
  }
}

try {
  await (await program()).parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // `missd` alone prints the help and is an error; `--help` and `--version` are not. Commander has said the rest.
    process.exitCode = error.exitCode === 0 ? 0 : USAGE;
  } else {
    sayError(`missd: ${onOneLine(reasonOf(error))}\n`);
    if (wantsTrace() && error instanceof Error) sayError(`${error.stack ?? ''}\n`);
    process.exitCode = error instanceof UsageError ? USAGE : FAILURE;
  }
}

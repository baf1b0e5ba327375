/** Options as they were given to one command, for the command line of another one that it prints. */
import type { Command } from 'commander';
import type { Given } from './given.ts';

const isDirectory = (name: string): boolean =>
  name.startsWith('redis') || name === 'key-prefix' || name === 'config';

/** What leads a command to the same records, as far as it stood on the command line: the environment is there anyway. */
export const directoryWords = (command: Command, given: readonly Given[]): string[] =>
  words(command, given, isDirectory);

export const listenWords = (command: Command, given: readonly Given[]): string[] =>
  words(command, given, (name) => name === 'listen');

function words(command: Command, given: readonly Given[], wanted: (name: string) => boolean): string[] {
  return command.options.flatMap((option) => {
    const name = option.name();
    if (!wanted(name) || command.getOptionValueSource(option.attributeName()) !== 'cli') return [];
    const { text } = given.findLast((one) => one.name === name) ?? {};
    return text === undefined ? [] : [`--${name}`, withoutPassword(text)];
  });
}

/** Secrets are left out: others may see the screen, and shells keep a history. */
const withoutPassword = (text: string): string =>
  text.replace(/^([a-z+]+:\/\/[^@/]*?:)[^@/]*@/, '$1PASSWORD@');

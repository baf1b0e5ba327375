/** The options a command was given, in the words they were given in, so that another command line can have them. */
import type { Command } from 'commander';

export interface Given {
  /** Long name without the dashes. */
  name: string;
  /** Undefined for a switch. */
  text: string | undefined;
}

/** Follows a command from before it is parsed; the list grows as it is. From the command line and the environment. */
export function followGiven(command: Command): readonly Given[] {
  const given: Given[] = [];
  for (const option of command.options) {
    const name = option.name();
    command.on(`option:${name}`, (text: string | null) => {
      given.push({ name, text: text ?? undefined });
    });
    command.on(`optionEnv:${name}`, (text: string | null) => {
      given.push({ name, text: option.isBoolean() ? undefined : (text ?? undefined) });
    });
  }
  return given;
}

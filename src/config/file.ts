/** The YAML file of `--config`. */
import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, type Option } from 'commander';
import { parse as parseYaml } from 'yaml';
import { UsageError, reasonOf } from '../base/errors.ts';
import * as parse from './parse.ts';

/** What keys may be in it, by the long names of the options. */
interface Keys {
  known: ReadonlySet<string>;
  /** Of those, the ones whose value may be a list. */
  lists: ReadonlySet<string>;
}

/**
 * Sets what the file says for options of the command that neither flag nor environment gave.
 * @throws UsageError naming the file and key, for a file that is missing, does not parse or has a wrong value
 */
export function applyFile(command: Command, file: string, keys: Keys): void {
  let document: unknown;
  try {
    document = parseYaml(readFileSync(file, 'utf8')) ?? {};
  } catch (error) {
    throw new UsageError(`${file}: ${reasonOf(error)}`, { cause: error });
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document))
    throw new UsageError(`${file}: expected a mapping of option names to values`);
  for (const [key, value] of Object.entries(document)) {
    if (!keys.known.has(key)) throw new UsageError(`${file}: unknown key "${key}"`);
    const target = command.options.find((one) => one.name() === key);
    const source = target && command.getOptionValueSource(target.attributeName());
    if (target === undefined || (source !== undefined && source !== 'default')) continue;
    command.setOptionValueWithSource(
      target.attributeName(),
      fileValue(target, value, keys.lists.has(key), `${file}: ${key}`),
      'config',
    );
  }
}

function fileValue(target: Option, value: unknown, list: boolean, where: string): unknown {
  try {
    if (target.isBoolean()) return parse.flag(value);
    const texts = (Array.isArray(value) ? value : [value]).map((one: unknown) => {
      if (typeof one !== 'string' && typeof one !== 'number')
        throw new InvalidArgumentError('expected text or a number.');
      return String(one);
    });
    if (!list && texts.length !== 1) throw new InvalidArgumentError('expected one value.');
    return texts.reduce<unknown>(
      (before, text) => (target.parseArg === undefined ? text : target.parseArg(text, before as string)),
      undefined,
    );
  } catch (error) {
    if (error instanceof InvalidArgumentError)
      throw new UsageError(`${where}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** Every number that anybody can give has bounds, wherever it comes from: beyond them it would mean something else. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command, Option } from 'commander';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { endpointCommand } from '../../../src/cli/endpoint.ts';
import { explainCommand } from '../../../src/cli/explain.ts';
import { flushCommand } from '../../../src/cli/flush.ts';
import { doctorCommand } from '../../../src/cli/doctor.ts';
import { labCommand } from '../../../src/cli/lab.ts';
import { runCommand } from '../../../src/cli/run.ts';
import { serviceCommand } from '../../../src/cli/service.ts';
import { statusCommand } from '../../../src/cli/status.ts';
import { subnetCommand } from '../../../src/cli/subnet.ts';
import { topCommand } from '../../../src/cli/top.ts';
import { resolve } from '../../../src/config/options.ts';

const COMMANDS = [
  ...[runCommand, endpointCommand, subnetCommand, explainCommand, statusCommand],
  ...[topCommand, doctorCommand, serviceCommand, flushCommand, labCommand],
];

const all = (command: Command): Command[] => [command, ...command.commands.flatMap(all)];

/** Options whose value is a number, by the words of their help. */
const numbers = (command: Command): Option[] =>
  command.options.filter(({ flags }) => /<(s|n|N|bytes)>$/.test(flags));

const given = COMMANDS.flatMap((make) =>
  all(make()).flatMap((command) =>
    numbers(command).map((option): [string, Option] => [`${command.name()} ${option.flags}`, option]),
  ),
);

/** Longest that a timer of Node waits, s; asked for longer it fires at once. */
const LONGEST_TIMER = 2 ** 31 / 1000;

const directory = mkdtempSync(join(tmpdir(), 'missd-bounds-'));
const file = join(directory, 'missd.yaml');
afterAll(() => {
  rmSync(directory, { recursive: true });
});

describe('a numeric option', () => {
  it('exists for every duration and count', () => {
    expect(given.map(([name]) => name)).toEqual(
      expect.arrayContaining([
        ...['audit', 'idle', 'lifetime', 'negative-lifetime', 'withdrawal-grace'].map(
          (name) => `run --${name} <s>`,
        ),
        ...['max-entries', 'lookup-rate', 'broadcast-rate'].map((name) => `run --${name} <n>`),
        ...['run --receive-buffer <bytes>', 'set --ttl <s>', 'top --interval <s>', 'top --count <n>'],
        ...['compare --guests <N>', 'compare --pairs <N>'],
      ]),
    );
  });

  describe.each(given)('%s', (_name, option) => {
    const parsed = (text: string): unknown => option.parseArg?.<unknown>(text, undefined);

    it.each(['', ' ', '-1', '1e30', '1e3', '0x10', 'NaN', 'Infinity', 'soon', '10s', '9'.repeat(20)])(
      'is not %j',
      (text) => {
        expect(() => parsed(text)).toThrow();
      },
    );

    it('accepts exactly the range in its help, including both ends', () => {
      const [, least = '', most = ''] = /([\d.]+) to ([\d.]+)(?:MiB)?\)/.exec(option.description) ?? [
        ...(/(), (\d+) at most/.exec(option.description) ?? []),
      ];
      const unit = /MiB\)/.test(option.description) ? 'MiB' : '';
      expect(parsed(least === '' ? '1' : least)).toBe(Number(least === '' ? 1 : least));
      expect(parsed(most + unit)).toBe(Number(most) * (unit === '' ? 1 : 2 ** 20));
      expect(() => parsed(`${Number(most) + 1}${unit}`)).toThrow(/expected/);
    });
  });

  it.each(given.filter(([name]) => /--(audit|interval) /.test(name)))(
    '%s is a time that a timer can wait',
    (_name, option) => {
      expect(() => option.parseArg?.<unknown>(String(Math.ceil(LONGEST_TIMER)), undefined)).toThrow();
    },
  );
});

describe('a number beyond its bounds is refused', () => {
  const names = numbers(runCommand());
  const refused = (flags: string[]): unknown => {
    const command = runCommand()
      .exitOverride()
      .configureOutput({ writeErr: () => undefined })
      .action(() => undefined);
    try {
      command.parse(flags, { from: 'user' });
      return resolve(command, 'run');
    } catch (error) {
      return error instanceof Error ? error.message : error;
    }
  };

  it.each(names)('as a flag, a variable and in the file: $flags', (option) => {
    const words = expect.stringMatching(/expected .* to |at most/) as unknown;
    expect(refused([`--${option.name()}=99999999999`])).toEqual(words);
    vi.stubEnv(option.envVar ?? '', '99999999999');
    expect(refused([])).toEqual(words);
    vi.unstubAllEnvs();
    writeFileSync(file, `${option.name()}: 99999999999\n`);
    expect(refused(['--config', file])).toEqual(words);
    expect(refused(['--config', file])).toEqual(expect.stringContaining(`${file}: ${option.name()}`));
  });
});

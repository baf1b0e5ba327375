import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, describe, expect, it } from 'vitest';
import { type RunOptions, declare, resolve } from '../../../src/config/options.ts';
import { UsageError } from '../../../src/base/errors.ts';

const directory = mkdtempSync(join(tmpdir(), 'missd-options-'));
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** What is in force for `missd run` with these flags and this configuration file. */
function options(flags: readonly string[], file: string): RunOptions {
  const path = join(mkdtempSync(`${directory}-`), 'missd.yaml');
  writeFileSync(path, file);
  try {
    const command = declare(new Command('run'), 'run').exitOverride();
    command.parse(['--config', path, ...flags], { from: 'user' });
    return resolve(command, 'run');
  } finally {
    rmSync(join(path, '..'), { recursive: true });
  }
}

describe('options of a VNI', () => {
  it('are the same from the configuration file and from flags', () => {
    const file = 'strategy: [100=preload, 7=routes]\nbroadcast: [100, 200]\nbroadcast-rate: 50\n';
    expect(options([], file)).toMatchObject({
      strategy: [
        { vni: 100, strategy: 'preload' },
        { vni: 7, strategy: 'routes' },
      ],
      broadcast: [100, 200],
      broadcastRate: 50,
    });
    expect(options([], 'strategy: 100=preload')).toMatchObject({
      strategy: [{ vni: 100, strategy: 'preload' }],
    });
  });

  it('are repeatable as flags, which take precedence over the file', () => {
    const flags = ['--strategy', '1=preload', '--strategy', '2=routes,3=miss', '--broadcast', '1,2'];
    expect(options(flags, 'strategy: [100=preload]\nbroadcast: 9')).toMatchObject({
      strategy: [
        { vni: 1, strategy: 'preload' },
        { vni: 2, strategy: 'routes' },
        { vni: 3, strategy: 'miss' },
      ],
      broadcast: [1, 2],
    });
  });

  it.each([
    ['strategy: 100=push', /strategy/],
    ['strategy: [7=miss, 7=routes]', /strategy: VNI 7 is given two strategies/],
    ['broadcast: 0', /broadcast/],
    ['broadcast-rate: 0', /broadcast-rate/],
  ])('that are invalid are refused with the key: %s', (file, words) => {
    expect(() => options([], file)).toThrow(UsageError);
    expect(() => options([], file)).toThrow(words);
  });

  it('of this host may name the interface of a link-local address', () => {
    expect(options(['--local', 'fe80::1%eth0,10.0.0.1'], '')).toMatchObject({
      local: ['fe80::1', '10.0.0.1'],
    });
    expect(() => options([], 'local: 10.0.0.1%eth0')).toThrow(UsageError);
    expect(() => options([], 'local: fe80::1%')).toThrow(UsageError);
  });

  it('are empty by default', () => {
    expect(options([], '')).toMatchObject({ strategy: [], broadcast: [], broadcastRate: 200 });
  });
});

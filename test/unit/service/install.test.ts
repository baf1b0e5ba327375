import { mkdtempSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync, lstatSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { declare, resolve } from '../../../src/config/options.ts';
import { followGiven } from '../../../src/config/given.ts';
import { mustSuit, removeUnit, unitFor, writeUnit } from '../../../src/service/install.ts';
import { SIGNATURE } from '../../../src/service/unit.ts';

const PROGRAM = { node: '/usr/bin/node', main: '/usr/lib/node_modules/missd/dist/main.js' };
/** Is on every machine, and everybody may read it. */
const FILE = '/etc/passwd';

/** What a command declared like `service install` makes of these words. */
function unit(...words: string[]): string {
  const command = declare(new Command().exitOverride(), 'run').configureOutput({ writeErr: () => undefined });
  const given = followGiven(command);
  command.parse(words, { from: 'user' });
  return unitFor(PROGRAM, given, resolve(command, 'run'));
}

/** The values of a setting. */
const setting = (text: string, name: string): string[] =>
  [...text.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value = '']) => value);

const exec = (...words: string[]): string => setting(unit(...words), 'ExecStart').join('\n');

const START = `${PROGRAM.node} ${PROGRAM.main} run`;

describe('the command of the unit', () => {
  it('has the given options, and waits for another missd', () => {
    expect(exec()).toBe(`${START} --wait --log-format pretty`);
    expect(
      exec('--redis', 'redis://10.0.0.5:6379', '--device=vx1', '--device', 'vx2,vx3', '--flush-on-exit'),
    ).toBe(
      `${START} --redis redis://10.0.0.5:6379 --device vx1 --device vx2,vx3 --flush-on-exit --wait --log-format pretty`,
    );
    expect(exec('--wait', '--log-format', 'json')).toBe(`${START} --log-format json --wait`);
  });

  it('also has the options of the environment', () => {
    process.env['MISSD_IDLE'] = '7';
    process.env['MISSD_FLUSH_ON_EXIT'] = 'true';
    try {
      expect(exec()).toBe(`${START} --idle 7 --flush-on-exit --wait --log-format pretty`);
    } finally {
      delete process.env['MISSD_IDLE'];
      delete process.env['MISSD_FLUSH_ON_EXIT'];
    }
  });

  it('escapes characters that systemd would interpret', () => {
    expect(exec('--netns', '/run/my netns/a"b\\c%d$HOME')).toContain(
      ' --netns "/run/my netns/a\\"b\\\\c%%d$$HOME" ',
    );
    expect(() => unit('--netns', '/run/a\nExecStartPre=evil')).toThrow('control characters');
  });

  it('names files by their absolute path, and secrets by the copy that systemd makes', () => {
    process.chdir('/etc');
    const text = unit('--redis', 'redis://10.0.0.5:6379', '--redis-password-file', 'passwd');
    process.chdir('/');
    expect(setting(text, 'ExecStart')[0]).toContain(' --redis-password-file %d/redis-password-file ');
    expect(setting(text, 'LoadCredential')).toEqual([`redis-password-file:${FILE}`]);
    expect(() => unit('--redis-password-file', '/nowhere/password')).toThrow('/nowhere/password');
  });

  it('contains no password, because every user can read a unit', () => {
    expect(() => unit('--redis', 'redis://user:secret@10.0.0.5:6379')).toThrow('--redis-password-file');
    expect(() => unit('--redis', 'redis://user:secret@10.0.0.5:6379')).not.toThrow('secret');
    expect(exec('--redis', 'redis://user@10.0.0.5:6379')).toContain('redis://user@10.0.0.5:6379');
  });
});

describe('the rights of the service', () => {
  const NARROW = 'CAP_NET_ADMIN CAP_NET_RAW';

  it('cover its own namespace only, as a dynamic user', () => {
    const text = unit('--redis', 'redis://10.0.0.5:6379');
    expect(setting(text, 'CapabilityBoundingSet')).toEqual([NARROW]);
    expect(setting(text, 'AmbientCapabilities')).toEqual([NARROW]);
    expect(setting(text, 'DynamicUser')).toEqual(['yes']);
    expect(setting(text, 'RestrictNamespaces')).toEqual(['yes']);
  });

  it('include entering network namespaces only if one is named', () => {
    const text = unit('--netns', 'blue');
    expect(setting(text, 'CapabilityBoundingSet')).toEqual([`${NARROW} CAP_SYS_ADMIN`]);
    expect(setting(text, 'AmbientCapabilities')).toEqual([`${NARROW} CAP_SYS_ADMIN`]);
    expect(setting(text, 'DynamicUser')).toEqual([]);
    expect(setting(text, 'User')).toEqual(['root']);
    expect(setting(text, 'RestrictNamespaces')).toEqual(['net']);
    expect(() => unit('--netns', '/proc/1/ns/net')).toThrow('/proc/1/ns/net');
  });

  it('exclude home and temporary directories', () => {
    const options = resolve(declare(new Command(), 'run'), 'run');
    const suits = (main: string) => () => {
      mustSuit({ node: FILE, main }, options);
    };
    expect(suits(FILE)).not.toThrow();
    expect(suits('/root/missd/dist/main.js')).toThrow('npm install -g');
    expect(suits('/home/me/missd/dist/main.js')).toThrow('npm install -g');
    expect(suits('/etc/shadow')).toThrow('chmod o+r');
    expect(suits('/nowhere/main.js')).toThrow('/nowhere/main.js');
  });
});

describe('the file', () => {
  let directory: string;
  let file: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'missd-unit-'));
    file = join(directory, 'missd.service');
  });
  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  it('is written, written again, and removed with its link', () => {
    writeUnit(file, unit());
    writeUnit(file, unit('--idle', '7'));
    expect(readFileSync(file, 'utf8')).toContain('--idle 7');
    expect(lstatSync(file).mode & 0o777).toBe(0o644);
    const wants = join(directory, 'multi-user.target.wants');
    mkdirSync(wants);
    symlinkSync(file, join(wants, 'missd.service'));
    removeUnit(file);
    expect(() => lstatSync(file)).toThrow('ENOENT');
    expect(() => lstatSync(join(wants, 'missd.service'))).toThrow('ENOENT');
    expect(() => {
      removeUnit(file);
    }).toThrow('not installed');
  });

  it('is left unchanged if missd did not write it', () => {
    writeFileSync(file, '[Service]\n');
    for (const change of [writeUnit, removeUnit])
      expect(() => {
        change(file, SIGNATURE);
      }).toThrow('not written by missd');
    expect(readFileSync(file, 'utf8')).toBe('[Service]\n');
  });
});

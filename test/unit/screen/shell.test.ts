import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import {
  type CommandLine,
  allOf,
  blank,
  device,
  extended,
  piped,
  quoted,
  setSysctl,
  sh,
  typed,
} from '../../../src/screen/shell.ts';

/** As the shells that are there read it: the arguments that `printf` gets. */
const words = (shell: string, line: string): string[] =>
  execFileSync(shell, ['-c', `printf '%s\\0' ${line}`], { encoding: 'utf8' })
    .split('\0')
    .slice(0, -1);

const HOSTILE = [
  'flannel.1',
  'with space',
  "it's",
  '"double"',
  '$HOME',
  '$(id)',
  '`id`',
  'a;b',
  'a&b|c>d<e',
  'a#b',
  '#a',
  '~root',
  '*',
  '[a]?',
  '{a,b}',
  'back\\slash',
  '!x',
  '-n',
  '',
  "'",
  '100%',
  'br\u00fccke',
  '\u001b[31m%d\\',
  '-\u0001',
  'line\nline',
];

describe.each(['sh', 'bash'])('for %s', (shell) => {
  test('each value stays one word', () => {
    for (const name of HOSTILE) expect(quoted(name)).toMatch(/^[\x20-\x7e]+$/);
    expect(words(shell, sh`${HOSTILE}`)).toEqual(HOSTILE);
    expect(words(shell, HOSTILE.map((name) => sh`--netns=${name}`).join(' '))).toEqual(
      HOSTILE.map((name) => `--netns=${name}`),
    );
  });

  test('as a namespace', () => {
    const names = HOSTILE.filter((name) => name !== '');
    const both = (make: (name: string) => CommandLine): string[] => words(shell, names.map(make).join(' '));
    expect(both((name) => typed(`/run/netns/${name}`, sh`ip link set ${'x y'} up`))).toEqual(
      names.flatMap((name) => ['ip', '-n', name, 'link', 'set', 'x y', 'up']),
    );
    expect(both((name) => typed(`/run/docker/netns/${name}`, sh`ip link`))).toEqual(
      names.flatMap((name) => ['nsenter', `--net=/run/docker/netns/${name}`, 'ip', 'link']),
    );
    expect(both((name) => typed(`/run/netns/${name}`, sh`sh -c ${sh`echo ${name}`}`))).toEqual(
      names.flatMap((name) => ['ip', 'netns', 'exec', name, 'sh', '-c', sh`echo ${name}`]),
    );
  });
});

test('lists, numbers and blanks', () => {
  expect(sh`a ${[]} b`).toBe('a b');
  expect(sh`a ${['x', 'y z']} b ${[]}`).toBe("a x 'y z' b");
  expect(sh`missd endpoint set ${100} ${blank('IP')}`).toBe('missd endpoint set 100 <IP>');
  expect(extended(sh`redis-cli`, 'DEL', 'a b')).toBe("redis-cli DEL 'a b'");
  expect(piped(sh`a`, sh`b ${'$c'}`)).toBe("a | b '$c'");
  expect(allOf([sh`a`, sh`b`])).toBe('a && b');
});

test('a device name that iproute2 would take for a keyword', () => {
  expect(sh`ip link set ${device('vxlan100')} up`).toBe('ip link set vxlan100 up');
  expect(sh`ip link set ${device('type')} up`).toBe('ip link set dev type up');
  expect(sh`ip link set ${device('h')} up`).toBe('ip link set dev h up');
});

test('a parameter of a device whose name has dots or pattern characters of sysctl', () => {
  const of = (name: string, path: string | null = null): string =>
    setSysctl(path, ['net', 'ipv4', 'neigh', name, 'app_solicit'], 3);
  expect(of('vxlan100')).toBe('sysctl -w net.ipv4.neigh.vxlan100.app_solicit=3');
  expect(of('flannel.1')).toBe('sysctl -w net/ipv4/neigh/flannel.1/app_solicit=3');
  expect(of('flannel.1', '/run/netns/h1')).toBe(
    'ip netns exec h1 sysctl -w net/ipv4/neigh/flannel.1/app_solicit=3',
  );
  expect(of('a*')).toBe("echo 3 >'/proc/sys/net/ipv4/neigh/a*/app_solicit'");
  expect(words('sh', of("a'=", '/run/netns/h 1'))).toEqual([
    ...['ip', 'netns', 'exec', 'h 1', 'sh', '-c'],
    `echo 3 >'/proc/sys/net/ipv4/neigh/a'\\''=/app_solicit'`,
  ]);
});

/** What explain and doctor say is to be typed, typed: on devices, bridges and namespaces whose names a shell would take apart. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Finding } from '../../src/doctor/finding.ts';
import type { Explanation } from '../../src/explain/explain.ts';
import { attempt, run } from '../../src/lab/command.ts';
import { MISSD } from '../../src/lab/daemon.ts';
import { quoted } from '../../src/screen/shell.ts';

const ADDRESS = '20.0.0.2';
const MAC = '02:42:14:00:00:02';
/** Nobody listens there. */
const NOBODY = '127.0.0.1:19847';
/** Dozens of commands, ms: a ceiling for a busy machine. */
const CEILING = 180_000;

describe.each([
  { namespace: `missd-dots-${process.pid}`, device: 'vxlan.calico', bridge: 'br.1', port: 'eth0.5' },
  {
    namespace: `missd ${process.pid} '$(id)";`,
    device: `v'$(id);"&1`,
    bridge: 'b`id`|<*>#',
    port: '~$HOME\\!\u001b[1m',
  },
  { namespace: `missd-ü-${process.pid}`, device: 'vxlän', bridge: '-b', port: 'p\u0001' },
])('$device in $bridge', ({ namespace, device, bridge, port }) => {
  let dir: string;
  const within = ['nsenter', `--net=/run/netns/${namespace}`, '--'];
  const ip = (...words: string[]): Promise<string> => run([...within, 'ip', ...words]);

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'missd printed '));
    const program = (name: string, lines: string): void => {
      writeFileSync(join(dir, name), `#!/bin/sh\n${lines}\n`);
      chmodSync(join(dir, name), 0o755);
    };
    program('missd', `exec ${quoted(process.execPath)} ${quoted(MISSD)} "$@"`);
    // iproute2 remounts /sys for `-n` and `netns exec`, which a chroot does not permit.
    for (const tool of ['ip', 'bridge'])
      program(
        tool,
        `PATH="\${PATH#*:}"
if [ "$1" = -n ]; then name=$2; shift 2; exec nsenter --net="/run/netns/$name" -- ${tool} "$@"; fi
if [ "$1 $2" = 'netns exec' ]; then name=$3; shift 3; exec nsenter --net="/run/netns/$name" -- "$@"; fi
exec ${tool} "$@"`,
      );
    writeFileSync(
      join(dir, "d'ir $x.yaml"),
      `vnis: { 100: { endpoints: [{ ip: ${ADDRESS}, mac: "${MAC}", vtep: 10.99.0.2 }] } }\n`,
    );
    await run(['ip', 'netns', 'add', namespace]);
    await ip('link', 'add', 'u0', 'type', 'veth', 'peer', 'name', 'u1');
    // No way to the others: nothing waits for an answer.
    await ip('address', 'add', '10.99.0.1/32', 'dev', 'u0');
    for (const one of ['lo', 'u0', 'u1']) await ip('link', 'set', 'dev', one, 'up');
    await ip('link', 'add', 'name', bridge, 'type', 'bridge');
    await ip('link', 'set', 'dev', bridge, 'up');
    await ip('link', 'add', 'name', port, 'type', 'veth', 'peer', 'name', 'guest');
    await ip('link', 'set', 'dev', port, 'master', bridge, 'up');
  });
  afterAll(async () => {
    await attempt(['ip', 'netns', 'del', namespace]);
    rmSync(dir, { recursive: true });
  });

  const anew = async (flags: string[], bridged = true): Promise<void> => {
    await attempt([...within, 'ip', 'link', 'del', 'dev', device]);
    const words = ['type', 'vxlan', 'id', '100', 'dstport', '4789', 'local', '10.99.0.1', 'dev', 'u0'];
    await ip('link', 'add', 'name', device, ...words, ...flags);
    await ip('link', 'set', 'dev', device, ...(bridged ? ['master', bridge] : []), 'mtu', '1450', 'up');
  };

  /** What it prints to be done, through a shell. */
  const type = async (commands: readonly string[]): Promise<void> => {
    for (const command of commands) {
      expect(command).toMatch(/^[\x20-\x7e]+$/);
      const path = `${dir}:${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;
      const { code, stderr, stdout } = await attempt(['env', `PATH=${path}`, 'sh', '-c', command]);
      expect({ command, code, said: code === 0 ? '' : stderr + stdout }).toEqual({
        command,
        code: 0,
        said: '',
      });
    }
  };

  const common = (): string[] => ['--netns', namespace, '--directory', join(dir, "d'ir $x.yaml"), '--json'];
  const explained = async (): Promise<Explanation['verdict']> => {
    const argv = [process.execPath, MISSD, 'explain', '100', ADDRESS, '--listen', NOBODY, ...common()];
    const { stdout } = await attempt(argv, { timeout: CEILING });
    return (JSON.parse(stdout) as [Explanation])[0].verdict;
  };
  const examined = async (): Promise<Finding[]> => {
    const argv = [process.execPath, MISSD, 'doctor', '--listen', NOBODY, ...common()];
    return (JSON.parse((await attempt(argv, { timeout: CEILING })).stdout) as { findings: Finding[] })
      .findings;
  };

  test(
    'explain: each next command ends what the verdict names',
    async () => {
      const causes: (string | undefined)[] = [];
      const follow = async (times: number): Promise<void> => {
        for (let n = 0; n < times; n++) {
          const { cause, next = '' } = await explained();
          causes.push(cause);
          await type([next]);
        }
      };
      await anew(['nolearning', 'proxy', 'l2miss']);
      await follow(1);
      await ip('link', 'set', 'dev', device, 'down');
      await follow(1);
      await ip('neigh', 'add', ADDRESS, 'lladdr', MAC, 'dev', device, 'nud', 'stale');
      await follow(1);
      await ip('neigh', 'add', ADDRESS, 'lladdr', '02:00:00:00:00:99', 'dev', device, 'nud', 'permanent');
      await run([...within, 'bridge', 'fdb', 'add', MAC, 'dev', device, 'dst', '10.99.0.9', 'self']);
      await run([...within, 'bridge', 'fdb', 'add', MAC, 'dev', port, 'master', 'permanent']);
      await follow(3);
      await anew(['nolearning', 'proxy', 'l2miss', 'l3miss'], false);
      await follow(2);
      await ip('address', 'add', ADDRESS, 'dev', bridge);
      await follow(1);
      await ip('address', 'del', `${ADDRESS}/32`, 'dev', bridge);
      expect(causes).toEqual([
        ...['no_l3miss', 'device_down', 'stale_neighbour', 'foreign_entry', 'foreign_entry', 'foreign_entry'],
        ...['unrouted', 'no_app_solicit', 'two_owners'],
      ]);
    },
    CEILING,
  );

  // A doctor takes seconds: the name with the most in it stands for the others.
  const most = device.includes(';') ? test : () => undefined;
  most(
    'doctor: after its commands what they are for is gone',
    async () => {
      const checks = async (): Promise<Map<string, Finding>> =>
        new Map(
          (await examined()).flatMap((one) =>
            one.level === 'ok' ? [] : [[`${one.group}/${one.check}`, one] as const],
          ),
        );
      await anew(['learning', 'proxy', 'l2miss', 'l3miss', 'remote', '10.99.0.9']);
      const flags = ['bcast_flood', 'off', 'mcast_flood', 'off', 'neigh_suppress', 'on'];
      await run([...within, 'bridge', 'link', 'set', 'dev', device, ...flags]);
      await ip('link', 'set', 'dev', 'u0', 'mtu', '1400');
      await ip('link', 'set', 'dev', bridge, 'down');
      const faults = [
        ...['devices/learning', 'devices/default-remote', 'ports/bcast_flood', 'ports/mcast_flood'],
        ...['ports/neigh_suppress', 'ports/bridge-down', 'mtu/underlay', 'mtu/guests'],
      ];
      const before = await checks();
      for (const fault of faults) await type(before.get(fault)?.fix ?? ['false']);
      expect([...before.keys()]).toEqual(expect.arrayContaining(faults));
      const after = await checks();
      expect(faults.filter((fault) => after.has(fault))).toEqual([]);
    },
    CEILING,
  );
});

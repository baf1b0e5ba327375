/** What the addon makes of system calls that fail in its callbacks: it tells, and the process goes on. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
const MINUTE = 60_000;
const addon = new URL('../../addon', import.meta.url).pathname;

let directory: string;
let library: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'missd-failures-'));
  library = join(directory, 'failures.so');
  const source = new URL('failing-calls.cc', import.meta.url).pathname;
  await run('g++', ['-std=c++17', '-shared', '-fPIC', '-Wall', '-Wextra', '-o', library, source, '-ldl']);
}, 2 * MINUTE);

afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** Runs a script with the addon as `native` in an empty namespace, and returns what it prints as JSON. */
async function failing(script: string): Promise<unknown> {
  const whole = `const native = require('node-gyp-build')(${JSON.stringify(addon)});\n${script}`;
  const { stdout } = await run('unshare', ['--net', process.execPath, '-e', whole], {
    cwd: addon,
    env: { ...process.env, LD_PRELOAD: library },
    timeout: MINUTE,
  });
  return JSON.parse(stdout) as unknown;
}

test.each([
  ['recvmmsg', 'table', 5],
  ['bad_alloc', 'table', 12],
  ['recvfrom', 'link', 5],
])(
  'where %s fails, what is lost is told, and the socket is read again',
  { timeout: MINUTE },
  async (fails, socket, errno) => {
    const told = await failing(`
      const { execFileSync } = require('node:child_process');
      const namespace = new native.Namespace(null, 1 << 20);
      execFileSync('ip', ['link', 'set', 'lo', 'up']);
      namespace.watchTables([1]);
      const told = [];
      namespace.start(
        (events) => {
          for (const { type, socket, errno } of events) told.push({ type, socket, errno });
          // What waited is heard in the end.
          if (!told.some(({ type }) => type === 'failed')) return;
          if (!told.some(({ type }) => type === ${JSON.stringify(socket === 'link' ? 'link' : 'rows')})) return;
          namespace.close();
          console.log(JSON.stringify(told.filter(({ socket }) => socket !== undefined)));
        },
        () => undefined,
      );
      // Both sockets have something to be read by now.
      execFileSync('ip', ['link', 'set', 'lo', 'mtu', '9000']);
      execFileSync('ip', 'neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev lo nud permanent'.split(' '));
      process.env.MISSD_FAILS = ${JSON.stringify(fails)};
    `);
    expect(told).toEqual([
      { type: 'overrun', socket },
      { type: 'failed', socket, errno },
    ]);
  },
);

test('a send that finds no memory does not say that a table is full', { timeout: MINUTE }, async () => {
  const refusals = await failing(`
    const namespace = new native.Namespace(null, 1 << 20);
    process.env.MISSD_FAILS = 'send';
    const refusals = namespace.writeRoutes([
      { op: 'delete', ifindex: 1, cidr: '10.0.0.0/8', gateway: '10.0.0.1', protocol: 77 },
    ]);
    namespace.close();
    console.log(JSON.stringify(refusals));
  `);
  expect(refusals).toEqual([{ index: 0, errno: 12, extack: '' }]);
});

test(
  'sockets that cannot be watched are an error of whoever wants to listen',
  { timeout: MINUTE },
  async () => {
    const error = await failing(`
    const namespace = new native.Namespace(null, 1 << 20);
    process.env.MISSD_FAILS = 'epoll_ctl';
    try {
      namespace.start(() => undefined, () => undefined);
      console.log('null');
    } catch ({ operation, errno }) {
      console.log(JSON.stringify({ operation, errno }));
    }
    namespace.close();
  `);
    expect(error).toEqual({ operation: 'watch sockets', errno: 28 });
  },
);

test('the binary has a protected stack, fortified calls and nothing left to bind', async () => {
  const { stdout } = await run('readelf', ['-dWs', join(addon, 'build', 'Release', 'missd.node')], {
    maxBuffer: 1 << 26,
  });
  expect(stdout).toMatch(/BIND_NOW/);
  expect(stdout).toMatch(/__stack_chk_fail/);
});

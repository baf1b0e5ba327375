// The one door that builds the addon: `npm install` and `npm run build` both come in here.
//
// 1. a prebuilt binary that loads here is used, but where the sources are worked on (`--compile`);
// 2. otherwise node-gyp compiles: ours where the development dependencies are installed, else the one npm brings.
//    It is configured only when something it depends on has changed, so doing it again costs what `make` costs.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);
const log = join(here, 'build', 'missd-build.log');
/** What the build directory was configured for. */
const mark = join(here, 'build', 'missd-configured.json');

function prebuilt() {
  process.env.PREBUILDS_ONLY = '1';
  try {
    require('node-gyp-build')(here);
    return true;
  } catch {
    return false;
  }
}

/** Where the headers of the node that runs this lie, or undefined to have node-gyp fetch them. */
function nodedir() {
  const beside = join(dirname(process.execPath), '..');
  for (const root of [beside, '/usr']) {
    const headers = join(root, 'include', 'node');
    // Debian's own Node leaves uv.h to libuv1-dev, which puts it where every compiler looks.
    const uv = [join(headers, 'uv.h'), '/usr/include/uv.h'].some((file) => existsSync(file));
    if (!existsSync(join(headers, 'node_api.h')) || !uv) continue;
    if (root === beside || headersMajor(headers) === process.versions.node.split('.')[0]) return root;
  }
  return undefined;
}

function headersMajor(headers) {
  try {
    const text = readFileSync(join(headers, 'node_version.h'), 'utf8');
    return /#define NODE_MAJOR_VERSION (\d+)/.exec(text)?.[1];
  } catch {
    return undefined;
  }
}

function nodeGyp() {
  const bundled = join('node_modules', 'npm', 'node_modules', 'node-gyp', 'bin', 'node-gyp.js');
  const candidates = [
    () => require.resolve('node-gyp/bin/node-gyp.js'),
    () => process.env.npm_config_node_gyp,
    () =>
      join(dirname(process.env.npm_execpath ?? ''), '..', 'node_modules', 'node-gyp', 'bin', 'node-gyp.js'),
    () => join(dirname(process.execPath), '..', 'lib', bundled),
    () => '/usr/share/nodejs/node-gyp/bin/node-gyp.js',
  ];
  for (const candidate of candidates) {
    try {
      const path = candidate();
      if (path !== undefined && existsSync(path)) return path;
    } catch {
      // Not installed: the next one.
    }
  }
  return fail('node-gyp is missing: install it with `npm install --include=dev`, or run this through npm');
}

function fail(reason) {
  console.error(`missd: the native addon was not built: ${reason}`);
  process.exit(1);
}

function run(command, args) {
  const result = spawnSync(command, args, { cwd: here, encoding: 'utf8', maxBuffer: 1 << 28 });
  if (result.status === 0) return;
  // The generated Makefile remembers the compiler it was configured with: begin anew once that is put right.
  rmSync(mark, { force: true });
  mkdirSync(dirname(log), { recursive: true });
  writeFileSync(log, `${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}`);
  fail(
    'it needs g++, make, python3 and the Linux headers (Debian: apt-get install build-essential python3); ' +
      'what went wrong is in addon/build/missd-build.log',
  );
}

function newerThan(file, mark) {
  return statSync(join(here, file)).mtimeMs > statSync(mark).mtimeMs;
}

function build() {
  const directory = nodedir();
  const options = directory === undefined ? [] : [`--nodedir=${directory}`];
  const configured = JSON.stringify({
    node: process.version,
    arch: process.arch,
    nodedir: directory,
    at: here,
  });
  const fresh =
    existsSync(mark) && readFileSync(mark, 'utf8') === configured && !newerThan('binding.gyp', mark);
  if (!fresh) {
    run(process.execPath, [nodeGyp(), 'configure', ...options]);
    writeFileSync(mark, configured);
  }
  // What `node-gyp build` comes down to, without the half second it takes to find out.
  run(process.env.MAKE ?? 'make', ['-s', '-C', 'build', 'BUILDTYPE=Release', '-j2']);
}

if (process.argv.includes('--compile') || !prebuilt()) build();

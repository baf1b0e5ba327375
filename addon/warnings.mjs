// Compiles the addon and its fuzz target for their warnings alone, as strictly as g++ and clang++ have it: a conversion
// that loses bits is how a length from a message becomes one that it never had. `npm run check` calls it.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);
const COMPILERS = ['g++', 'clang++'];
const WARNINGS = ['-Werror', '-Wall', '-Wextra', '-Wshadow', '-Wconversion'];
const DEFINES = ['NAPI_VERSION=8', 'NAPI_CPP_EXCEPTIONS', 'NODE_ADDON_API_CPP_EXCEPTIONS_ALL'];

// Other people's headers are not ours to put right.
const system = [
  require('node-addon-api').include_dir,
  join(dirname(process.execPath), '..', 'include', 'node'),
  '/usr/include/node',
].flatMap((directory) => ['-isystem', directory]);
const sources = ['src', 'fuzz'].flatMap((directory) =>
  readdirSync(join(here, directory))
    .filter((name) => name.endsWith('.cc'))
    .map((name) => join(here, directory, name)),
);

let failed = false;
for (const compiler of COMPILERS)
  for (const source of sources) {
    const options = ['-std=c++17', '-fsyntax-only', ...WARNINGS, ...DEFINES.map((one) => `-D${one}`)];
    const argv = [...options, ...system, '-iquote', join(here, 'src'), source];
    const { status, error } = spawnSync(compiler, argv, { stdio: 'inherit' });
    if (error !== undefined) console.error(`warnings: ${compiler} does not run: ${error.message}`);
    failed ||= status !== 0;
  }
process.exit(failed ? 1 : 0);

// Puts the addon that was built here where `npm install` finds it, for the package that is being packed: machines of
// this kind then need no compiler. What other kinds need is compiled there. `npm pack` calls it, and removes it again.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const directory = join(here, 'prebuilds', `${process.platform}-${process.arch}`);
// Node-API: one for all versions of Node. It is linked with glibc, so musl compiles its own (node-gyp-build's tags).
const file = join(directory, 'missd.napi.glibc.node');

mkdirSync(directory, { recursive: true });
copyFileSync(join(here, 'build', 'Release', 'missd.node'), file);
// A fifth smaller; where there is no strip it is as good.
spawnSync('strip', ['--strip-unneeded', file]);

/** `npm run check` refuses what would spoil the structure of src/: planted faults, in a copy of the configuration. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
let tree: string;

beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'missd-structure-'));
  for (const file of ['.dependency-cruiser.mjs', '.knip.json', 'tsconfig.json'])
    cpSync(join(checkout, file), join(tree, file));
  symlinkSync(join(checkout, 'node_modules'), join(tree, 'node_modules'));
  plant('package.json', JSON.stringify({ name: 'planted', type: 'module', dependencies: { rxjs: '*' } }));
  plant('src/main.ts', "import { of } from 'rxjs';\nimport { a } from './base/a.ts';\nof(a).subscribe();\n");
  plant('src/base/a.ts', 'export const a = 1;\n');
});

afterEach(() => {
  rmSync(tree, { recursive: true });
});

function plant(file: string, text: string): void {
  mkdirSync(dirname(join(tree, file)), { recursive: true });
  writeFileSync(join(tree, file), text);
}

/** What it complains of, and nothing where it finds no fault. */
function complaints(program: string, ...args: string[]): string {
  const ended = spawnSync(join(checkout, 'node_modules/.bin', program), args, {
    cwd: tree,
    encoding: 'utf8',
  });
  expect(ended.error).toBeUndefined();
  return ended.status === 0 ? '' : ended.stdout;
}

const imports = (): string => complaints('depcruise', '--config', '.dependency-cruiser.mjs', 'src');
const leftovers = (): string => complaints('knip', '--config', '.knip.json');

test('a tree without a fault passes', () => {
  expect(imports()).toBe('');
  expect(leftovers()).toBe('');
});

test('a circle of imports, and a circle of type imports', () => {
  plant(
    'src/base/a.ts',
    "import type { B } from './b.ts';\nexport const a = 1 as B;\nexport type A = number;\n",
  );
  plant('src/base/b.ts', "import type { A } from './a.ts';\nexport type B = A;\n");
  expect(imports()).toMatch(/no-circle: src\/base\/a\.ts/);
});

test('an import that points upwards, and an import within a storey', () => {
  plant('src/base/a.ts', "import { up } from '../kernel/up.ts';\nexport const a = up;\n");
  plant('src/kernel/up.ts', "import { beside } from '../directory/beside.ts';\nexport const up = beside;\n");
  plant('src/directory/beside.ts', 'export const beside = 1;\n');
  expect(imports()).toMatch(/src\/base\/a\.ts → src\/kernel\/up\.ts/);
  expect(imports()).toMatch(/src\/kernel\/up\.ts → src\/directory\/beside\.ts/);
});

test('a folder without a storey', () => {
  plant('src/main.ts', "import { of } from 'rxjs';\nimport { a } from './utils/a.ts';\nof(a).subscribe();\n");
  plant('src/utils/a.ts', 'export const a = 1;\n');
  expect(imports()).toMatch(/every-folder-has-a-storey/);
});

test('an export that nothing imports, and a dependency that nothing imports', () => {
  plant('src/base/a.ts', 'export const a = 1;\nexport const forgotten = 2;\n');
  plant(
    'package.json',
    JSON.stringify({ name: 'planted', type: 'module', dependencies: { rxjs: '*', zod: '*' } }),
  );
  expect(leftovers()).toMatch(/forgotten/);
  expect(leftovers()).toMatch(/zod/);
});

test('the check runs both tools over this tree', () => {
  const scripts = JSON.parse(
    execFileSync('npm', ['pkg', 'get', 'scripts.check'], { cwd: checkout, encoding: 'utf8' }),
  ) as string;
  expect(scripts).toContain('depcruise --config .dependency-cruiser.mjs src');
  expect(scripts).toContain('knip --config .knip.json');
});

/** The package as `npm install` leaves it, in a place of its own: nothing of the checkout is used, nor the network. */
import { chmodSync, copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../../src/lab/command.ts';

const checkout = fileURLToPath(new URL('../..', import.meta.url));

export class InstalledPackage {
  readonly directory = mkdtempSync(join(tmpdir(), 'missd-package-'));
  /** Of all programs there is only Node here. */
  readonly path = join(this.directory, 'bin');
  readonly node = join(this.path, 'node');
  readonly root = join(this.directory, 'lib', 'node_modules', 'missd');
  readonly main = join(this.root, 'dist', 'main.js');

  /** Packs, unpacks and puts the dependencies beside it, as npm does; the install script is still to be run. */
  static async make(): Promise<InstalledPackage> {
    const made = new InstalledPackage();
    // Anybody may use it.
    chmodSync(made.directory, 0o755);
    for (const directory of [made.path, made.root]) mkdirSync(directory, { recursive: true });
    copyFileSync(process.execPath, made.node);
    const npm = ['npm', '--prefix', checkout];
    await run([...npm, 'pack', checkout, '--silent', '--pack-destination', made.directory], {
      timeout: 120_000,
    });
    await run([
      'sh',
      '-c',
      'tar -xzf "$1"/*.tgz -C "$2" --strip-components=1',
      'sh',
      made.directory,
      made.root,
    ]);
    const listed = await run([...npm, 'ls', '--omit=dev', '--all', '--parseable']);
    for (const from of listed.trim().split('\n').slice(1))
      cpSync(from, join(made.root, relative(checkout, from)), {
        recursive: true,
        // Those of a dependency's own are listed, too.
        filter: (source) => !relative(from, source).startsWith('node_modules'),
      });
    return made;
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

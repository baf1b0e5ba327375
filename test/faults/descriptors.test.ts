/** A process without a file descriptor left: what needs one says so to whoever asked, and nothing ends. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const module = (path: string): string => new URL(`../../dist/${path}`, import.meta.url).href;

/** Runs where every descriptor but the first hundred is beyond the limit. @returns what it prints */
async function withoutDescriptors(script: string): Promise<string> {
  const program = `
    import { closeSync, openSync } from 'node:fs';
    const exhaust = () => { for (;;) try { openSync('/dev/null'); } catch { return; } };
    ${script}
    console.log('lives');
    // Node keeps a process for the timeout of a program that never began.
    setImmediate(() => process.exit());`;
  const args = ['--input-type=module', '--eval', program];
  const command = `ulimit -n 100; exec "$0" "$@"`;
  const { stdout } = await promisify(execFile)('sh', ['-c', command, process.execPath, ...args], {
    timeout: 60_000,
  });
  return stdout;
}

it('nft is not started, and that is worth another try', async () => {
  const said = await withoutDescriptors(`
    const { runNft } = await import('${module('kernel/nft/nft.js')}');
    exhaust();
    await runNft(null, 'list tables').catch((error) => console.log(error.name, error.message));`);
  expect(said).toBe('NftBusy nft cannot be started: EMFILE\nlives\n');
});

it('the scratch namespace of the doctor is not made', async () => {
  const said = await withoutDescriptors(`
    const { Scratch } = await import('${module('doctor/scratch.js')}');
    exhaust();
    await Scratch.open().catch((error) => console.log(error.message));
    await new Promise((resolve) => setTimeout(resolve, 10));`);
  expect(said).toBe('unshare cannot be started: no file descriptor is left\nlives\n');
});

it('the directory file is followed by looking at it', async () => {
  const said = await withoutDescriptors(`
    const { FileDirectory } = await import('${module('directory/file/file-directory.js')}');
    const directory = new FileDirectory({ file: '/nowhere/missd.yaml' });
    exhaust();
    directory.start();
    await directory.close();`);
  expect(said).toBe('lives\n');
});

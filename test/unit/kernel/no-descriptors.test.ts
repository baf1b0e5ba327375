/** A process without a file descriptor left: what needs one says so to whoever asked, and nothing ends. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { Throttle } from '../../../src/resolve/throttle.ts';
import { FoldedLog } from '../../../src/log.ts';
import { NftBusy } from '../../../src/kernel/nft.ts';
import { Lane } from '../../../src/resolve/lane.ts';
import { GUEST, LOOKUP_RATE, World, turns } from '../fake/world.ts';

const module = (path: string): string => new URL(`../../../dist/${path}`, import.meta.url).href;

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
    const { runNft } = await import('${module('kernel/nft.js')}');
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
    const { FileDirectory } = await import('${module('directory/file.js')}');
    const directory = new FileDirectory({ file: '/nowhere/missd.yaml' });
    exhaust();
    directory.start();
    await directory.close();`);
  expect(said).toBe('lives\n');
});

it('a port that floods is tried to be throttled again, but not at once', async () => {
  const world = new World();
  const device = world.device();
  const throttle = new Throttle(LOOKUP_RATE, world.log, new FoldedLog(world.log, world.now), world.now);
  const lane = new Lane(GUEST, LOOKUP_RATE, world.time);
  throttle.begin(device);
  await turns();
  const told = world.kernel.throttles;
  world.kernel.throttleFailure = new NftBusy('nft cannot be started: EMFILE');
  for (let n = 0; n < 10; n++) {
    throttle.offend(device, lane);
    await turns();
  }
  expect(world.kernel.throttles).toBe(told + 1);
  expect(throttle.size).toBe(0);
  world.kernel.throttleFailure = undefined;
  world.time += 1_000;
  throttle.offend(device, lane);
  await turns();
  expect(world.kernel.throttled.map(({ port }) => port)).toEqual([GUEST]);
});
